import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: { ...globals.browser, ...globals.audioWorklet } },
    rules: {
      complexity: ["error", 10],
      "max-lines": ["error", 320],
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
    },
  },
  {
    files: ["bridge/**/page/**/*.js", "publisher/**/*.js"],
    rules: {
      // Text from workers is never markup.
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "createContextualFragment"].map((property) => ({ property })),
      ],
    },
  },
  { files: ["tests/**/*.mjs", "benchmarks/**/*.mjs"], languageOptions: { globals: globals.node } },
];
