"""Why each rule of config.properties and of model-config.yaml matters, and its source.

ConfigManager, Connector, ModelServer and Model are classes of the server of TorchServe 0.12.0,
https://github.com/pytorch/serve/tree/v0.12.0/frontend/server; [ran] was seen on a real one.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "config-properties/broken-escape": (
        "java.util.Properties throws at `\\u` without four hexadecimal digits, and TorchServe"
        " stops: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html"
    ),
    "config-properties/broken-models": (
        "TorchServe stops at JSON that it cannot read, and at a model of the snapshot that lacks"
        " its archive, its batch size or its workers [ran]; of two keys in a map it keeps one."
    ),
    "config-properties/character-outside-ascii": (
        "java.util.Properties reads a file as Latin-1, so that characters of UTF-8 come apart:"
        " https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html"
    ),
    "config-properties/contradicting-fields": (
        "TorchServe takes more minWorkers than maxWorkers, models without or with two default"
        " versions, and batches that a delay of 0 never lets fill, all in silence [ran]."
    ),
    "config-properties/dangling-repetition": (
        "TorchServe stops where a pattern starts with `*`: write `.*`. validateConfigurations of"
        " ConfigManager compiles blacklist_env_vars with java.util.regex.Pattern [ran]."
    ),
    "config-properties/envelope-that-cannot-batch": (
        "The envelopes kserve and kservev2 answer one request of a batch, and TorchServe answers"
        ' 503 to all of them: "number of batch response mismatched" [ran].'
    ),
    "config-properties/grpc-without-certificate": (
        "TorchServe stops where gRPC is to be encrypted and has no key or no certificate: a"
        " keystore does not serve it, and its own certificate neither [ran]."
    ),
    "config-properties/half-a-certificate": (
        "TorchServe reads a private key only together with its certificate, and makes a"
        " certificate of its own otherwise: getSslContext of ConfigManager."
    ),
    "config-properties/ignored-field": (
        "TorchServe does not read a field that it does not know, nor the count of models, unless"
        " it is 0 and no model starts [ran]."
    ),
    "config-properties/key-from-elsewhere": (
        "TorchServe takes some settings from its command line or from the environment alone:"
        " ConfigManager."
    ),
    "config-properties/management-without-token": (
        "Where inference and management share an address TorchServe takes the token of neither for"
        " management, unless it is started with --disable-token-auth [ran]."
    ),
    "config-properties/port-taken-twice": (
        "TorchServe stops where a port is taken; only inference and management share one [ran]."
    ),
    "config-properties/read-two-ways": (
        "TorchServe's launcher (load_properties of ts/model_server.py) and KServe's wrapper read"
        " some keys too. They split each line at its first `=`, and know no escapes."
    ),
    "config-properties/repeated-key": (
        "java.util.Properties keeps the last of two values of a key, and says nothing."
    ),
    "config-properties/trailing-space": (
        "java.util.Properties keeps white space at the end of a value: `8080 ` is no number, at"
        " which TorchServe stops, and `true ` is false."
    ),
    "config-properties/unknown-key": (
        "TorchServe ignores a key that it does not know [ran]: ConfigManager asks for the keys"
        " that it reads, and looks at no others."
    ),
    "config-properties/unknown-word": (
        "TorchServe logs a metrics_mode that it does not know, and takes `log`: getMetricsMode of"
        " ConfigManager."
    ),
    "config-properties/unread-load-models": (
        "TorchServe starts with the models of its snapshot where there is one, and load_models is"
        " not read: initModelStore of ModelServer [ran]."
    ),
    "config-properties/unusable-address": (
        "TorchServe stops at an address without scheme, with a path or with a port above 65534:"
        " Connector [ran]."
    ),
    "config-properties/value-of-another-type": (
        "TorchServe stops at a number that is none and takes for false whatever is not true;"
        " an unknown service_envelope lets requests hang [ran]."
    ),
    "model-config-yaml/contradicting-fields": (
        "TorchServe takes more minWorkers than maxWorkers, and starts a number that is neither."
        " Source: ModelConfig and WorkLoadManager of the server."
    ),
    "model-config-yaml/key-of-another-case": (
        "TorchServe leaves every key that it does not know to the handler, so that one of its own"
        " in another case has no effect. Source: ModelConfig.build."
    ),
    "model-config-yaml/value-of-another-type": (
        "TorchServe logs a value that it cannot use, and goes on with its default."
        " Source: ModelConfig.build."
    ),
    "config-properties/workers-under-debug": (
        "With debug=true each model has one worker, whatever is said: getDefaultWorkers of"
        " ConfigManager."
    ),
}
"""The rules that `refusals` names, each with why it matters."""

WARNINGS = frozenset(
    name if "/" in name else f"config-properties/{name}"
    for name in (
        "model-config-yaml/key-of-another-case",
        "model-config-yaml/value-of-another-type",
        "half-a-certificate",
        "ignored-field",
        "key-from-elsewhere",
        "management-without-token",
        "read-two-ways",
        "unknown-key",
        "unknown-word",
        "unread-load-models",
        "workers-under-debug",
    )
)
"""Those that can be a warning."""
