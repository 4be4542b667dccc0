using Uniscale.Data;

namespace Uniscale.Evaluation.Requests;

/// <summary>The token before every text.</summary>
internal static class TextStart
{
    /// <summary>
    /// The separator behind which documents began in training, else the one of their begin; null: the tokenizer has neither.
    /// </summary>
    public static int? Of(Tokenizer tokenizer) =>
        tokenizer.EndId >= 0 ? tokenizer.EndId
        : tokenizer.BeginId >= 0 ? tokenizer.BeginId
        : null;
}
