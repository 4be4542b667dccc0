using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Generation;

/// <summary>Continues a text with a trained model.</summary>
/// <param name="model">The model; not owned.</param>
/// <param name="tokenizer">The tokenizer it was trained with; not owned.</param>
public sealed class TextGenerator(TrainedModel model, Tokenizer tokenizer)
{
    /// <summary>Tokens that may be drawn: those with a text, and the end of the document.</summary>
    private readonly bool[] _drawable = [.. Enumerable.Range(0, (int)Math.Min(tokenizer.Size, model.Vocabulary))
        .Select(id => id == tokenizer.EndId || tokenizer.PieceOf(id).Kind is PieceKind.Normal or PieceKind.Byte)];

    /// <summary>
    /// Yields the continuation piece by piece, at most <paramref name="tokenCount"/> tokens, until the end-of-document token.
    /// The model sees the last <c>context</c> tokens of prompt and continuation. What has no text (a padded vocabulary's rest, control tokens) is never drawn.
    /// </summary>
    public IEnumerable<string> Continue(string prompt, int tokenCount, SamplingOptions options)
    {
        if (tokenCount < 1) throw new UserErrorException($"--tokens is {tokenCount}; give 1 or more.");
        var sampler = new Sampler(options);
        var tokens = new List<int>(tokenizer.Encode(prompt));
        // Documents begin behind a separator in training; an empty prompt begins there too.
        if (tokens.Count == 0) tokens.Add(tokenizer.EndId >= 0 ? tokenizer.EndId : 0);
        // The space of a first piece is a space only behind something, so the continuation is what the whole text has more than the prompt.
        string said = tokenizer.Decode([.. tokens]);
        for (int i = 0; i < tokenCount; i++)
        {
            int next = sampler.Draw(Drawable(model.NextTokenLogits(tokens)));
            if (next == tokenizer.EndId) yield break;
            tokens.Add(next);
            string text = tokenizer.Decode([.. tokens]);
            // A character may need several byte tokens: hold back what is not whole yet.
            if (text.EndsWith('\uFFFD') && i + 1 < tokenCount) continue;
            if (text.Length > said.Length) yield return text[said.Length..];
            said = text;
        }
    }

    private Span<float> Drawable(float[] logits)
    {
        var all = logits.AsSpan(0, _drawable.Length);
        for (int id = 0; id < all.Length; id++)
            if (!_drawable[id]) all[id] = float.NegativeInfinity;
        return all;
    }
}
