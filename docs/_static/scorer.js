// Guides, symptoms and the reference come first: whoever searches wants to do something. Pages of evidence are long
// tables, so they hold most words often. A match in a title counts as always.
var Scorer = {
  score: ([docname, title, anchor, descr, score, filename, kind]) =>
    kind === "title" ? score
    : docname.startsWith("evidence/") || docname === "explanation/asvs" ? score / 4
    : docname.startsWith("guides/") || docname.startsWith("start/") || docname === "symptoms" ? score * 2
    : score,
  // The defaults of Sphinx, all of which a scorer has to repeat.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
