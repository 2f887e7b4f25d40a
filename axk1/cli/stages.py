"""The stages of a recipe, in their order; each reads what the ones before it left in the run folder.

corpus/      documents, exercises       pretrain/    metrics, resume points, plots      model/        the result
tokenizer/   tokenizer.json             base/        the pre-trained model's folder     evals/        its grades
data/        token shards               sft/         as pretrain/                       quantize/     a report on
                                                                                        model-int4/   the smaller copy
"""

from axk1.cli.grade import make_grades
from axk1.cli.job import Stage
from axk1.cli.learn import make_base, make_chat_model
from axk1.cli.prepare import make_corpus, make_data, make_tokenizer
from axk1.cli.shrink import make_quantised

__all__ = ["STAGES"]

STAGES: tuple[Stage, ...] = (
    Stage("corpus", "말뭉치 만들기", "corpus", make_corpus),
    Stage("tokenizer", "토크나이저 학습", "tokenizer", make_tokenizer),
    Stage("data", "토큰으로 바꾸기", "token shards", make_data),
    Stage("pretrain", "사전 학습", "pre-training", make_base),
    Stage("sft", "대화 학습 (SFT)", "fine-tuning on conversations", make_chat_model),
    Stage("evals", "채점", "grading", make_grades),
    Stage("quantize", "양자화", "quantising", make_quantised),
)
