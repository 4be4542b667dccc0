#!/usr/bin/env bash
# Questions that everybody can check: sums below 20 with their answers, a ninth of them by themselves too, and pairs of answers in two domains.
#   make-data.sh FOLDER
set -euo pipefail
mkdir -p "$1"
awk 'BEGIN {
  for (a = 0; a < 20; a++) for (b = 0; b < 20; b++)
    printf "{\"messages\": [{\"role\": \"user\", \"content\": \"%d + %d = ?\"}, {\"role\": \"assistant\", \"content\": \"%d\"}]}\n", a, b, a + b
}' > "$1/sums.jsonl"
awk 'BEGIN {
  for (a = 0; a < 20; a++) for (b = 0; b < 20; b++) {
    printf "{\"domain\": \"correct\", \"prompt\": \"%d + %d = ?\", \"chosen\": \"%d\", \"rejected\": \"%d\"}\n", a, b, a + b, (a + b + 1 + a % 3)
    printf "{\"domain\": \"concise\", \"prompt\": \"%d + %d = ?\", \"chosen\": \"%d\", \"rejected\": \"the sum of these two is %d\"}\n", a, b, a + b, a + b
  }
}' > "$1/pairs.jsonl"
awk 'NR % 9 == 0' "$1/sums.jsonl" > "$1/held.jsonl"
