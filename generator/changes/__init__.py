"""What changes for a service between two renders, or any two folders of manifests, in words.

`trees` and `revisions` bring the files of both sides; `contents` reads them into items with an
identity; `pairing` finds each item's like; `comparison` tells each difference (`leaves`, `words`,
`values`, without what `secrecy` keeps back) and asks the rules of `attention`; `lines` puts equal
words together for `text` and `markdown`, and `document` holds them all.
"""
