"""The special tokens. Their ids are fixed, so that every tokenizer of this project agrees with every model of it."""

END_OF_TEXT = "<|endoftext|>"  # beginning of a text, and what stands between documents in pre-training
IM_END = "<|im_end|>"  # end of a turn: generation stops here
IM_START = "<|im_start|>"
PAD = "<|pad|>"
THINK = "<think>"
END_THINK = "</think>"
TOOL_CALL = "<tool_call>"
END_TOOL_CALL = "</tool_call>"
TOOL_RESPONSE = "<tool_response>"
END_TOOL_RESPONSE = "</tool_response>"

# Never part of what a reader sees: `skip_special_tokens=True` of other programs drops these ...
CONTROL = (END_OF_TEXT, IM_END, IM_START, PAD)
# ... and keeps these, which reasoning and tool-call parsers look for in the text.
MARKUP = (THINK, END_THINK, TOOL_CALL, END_TOOL_CALL, TOOL_RESPONSE, END_TOOL_RESPONSE)
RESERVED = tuple(f"<|reserved_{i}|>" for i in range(6))

SPECIAL_TOKENS = CONTROL + MARKUP + RESERVED  # a token's place is its id

(
    END_OF_TEXT_ID,
    IM_END_ID,
    IM_START_ID,
    PAD_ID,
    THINK_ID,
    END_THINK_ID,
    TOOL_CALL_ID,
    END_TOOL_CALL_ID,
    TOOL_RESPONSE_ID,
    END_TOOL_RESPONSE_ID,
) = range(10)
