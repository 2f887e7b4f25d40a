"""vLLM's side of parity_vllm.py, in vLLM's environment. python parity_vllm_tokens.py FOLDER JOB.json ANSWER.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vllm import LLM, SamplingParams

if __name__ == "__main__":
    folder, job_file, answer_file = sys.argv[1:]
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    model = LLM(
        folder,
        dtype="float32",
        skip_tokenizer_init=True,
        max_model_len=job["longest"],
        enforce_eager=True,
        # its own kernel turns the wrong pairs for this family
        compilation_config={"custom_ops": ["-rotary_embedding"]},
    )
    settings = SamplingParams(temperature=0, max_tokens=job["new"], ignore_eos=True, detokenize=False)
    outputs = model.generate([{"prompt_token_ids": row} for row in job["prompts"]], settings, use_tqdm=False)
    Path(answer_file).write_text(json.dumps([list(one.outputs[0].token_ids) for one in outputs]), encoding="utf-8")
