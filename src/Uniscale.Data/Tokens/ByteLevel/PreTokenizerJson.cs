using System.Globalization;
using System.Text.Json;

namespace Uniscale.Data;

/// <summary>Reads how a tokenizer.json makes words of texts (its pre-tokenizer), which must end by turning them into bytes.</summary>
internal static class PreTokenizerJson
{
    /// <summary>The pattern of GPT-2 (encoder.py), which ByteLevel brings along.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The steps of a pre-tokenizer.</summary>
    /// <param name="preTokenizer">The field.</param>
    /// <param name="hasByteFallback">The model is of SentencePiece's kind.</param>
    public static IReadOnlyList<TextSplit> Read(JsonElement? preTokenizer, bool hasByteFallback)
    {
        var steps = Flat(preTokenizer).ToArray();
        int bytes = Array.FindIndex(steps, step => step.Text("type") == "ByteLevel");
        if (
            bytes < 0
            && steps.FirstOrDefault(step => step.Text("type") is not ("Split" or "Digits"))
                is { ValueKind: not JsonValueKind.Undefined } other
        )
            throw new FormatException($"the pre-tokenizer {other.Text("type") ?? "without a type"}");
        if (bytes < 0)
        {
            throw new FormatException(
                hasByteFallback
                    ? "a model of SentencePiece's kind (byte_fallback), not of bytes: give its tokenizer.model"
                    : "words of characters: it has no pre-tokenizer ByteLevel"
            );
        }
        return bytes == steps.Length - 1
            ? [.. steps.Select(Step)]
            : throw new FormatException($"the pre-tokenizer {steps[bytes + 1].Text("type")} behind ByteLevel");
    }

    private static IEnumerable<JsonElement> Flat(JsonElement? preTokenizer)
    {
        if (preTokenizer is not { } step)
            return [];
        return step.Text("type") == "Sequence"
            ? (step.Field("pretokenizers")?.EnumerateArray().ToArray() ?? []).SelectMany(part => Flat(part))
            : [step];
    }

    private static TextSplit Step(JsonElement step) =>
        step.Text("type") switch
        {
            "ByteLevel" => new TextSplit(
                step.Flag("use_regex") == false ? null : Pattern.Parse(Gpt2),
                SplitBehavior.Isolated,
                AddsSpace: step.Flag("add_prefix_space") ?? throw new FormatException("ByteLevel without add_prefix_space")
            ),
            "Split" => new TextSplit(
                NormalizerJson.PatternOf(step.Field("pattern")),
                Enum.TryParse(step.Text("behavior"), ignoreCase: false, out SplitBehavior behavior) && Enum.IsDefined(behavior)
                    ? behavior
                    : throw new FormatException($"Split with the behavior {step.Text("behavior")}"),
                IsInverted: step.Flag("invert") == true
            ),
            "Digits" => new TextSplit(
                Pattern.Of(
                    new CharacterSet().AddCategories(
                        UnicodeCategory.DecimalDigitNumber,
                        UnicodeCategory.LetterNumber,
                        UnicodeCategory.OtherNumber
                    ),
                    isRun: false
                ),
                step.Flag("individual_digits") == true ? SplitBehavior.Isolated : SplitBehavior.Contiguous
            ),
            var other => throw new FormatException($"the pre-tokenizer {other ?? "without a type"}"),
        };
}
