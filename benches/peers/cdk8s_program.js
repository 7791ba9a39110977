// node cdk8s_program.js DATA OUT: a chart for each spec, an object for each manifest.
const fs = require('fs');
const { ApiObject, App, Chart, YamlOutputType } = require('cdk8s');

const [data, outdir] = process.argv.slice(2);
const { objects, specs } = JSON.parse(fs.readFileSync(data, 'utf8'));

function filled(node, values, pattern) {
  if (Array.isArray(node)) return node.map((each) => filled(each, values, pattern));
  if (node && typeof node === 'object') {
    const pairs = Object.entries(node).map(([key, each]) => [key, filled(each, values, pattern)]);
    return Object.fromEntries(pairs);
  }
  if (typeof node === 'number') return String(node) in values ? Number(values[node]) : node;
  return typeof node === 'string' ? node.replace(pattern, (token) => values[token]) : node;
}

const app = new App({ outdir, yamlOutputType: YamlOutputType.FILE_PER_RESOURCE });
for (const { name, values } of specs) {
  const pattern = new RegExp(Object.keys(values).map((token) => token.replace(/\./g, '\\.')).join('|'), 'g');
  const chart = new Chart(app, name);
  objects.forEach((object, at) => new ApiObject(chart, `object-${at}`, filled(object, values, pattern)));
}
app.synth();
