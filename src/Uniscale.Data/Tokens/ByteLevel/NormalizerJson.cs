using System.Text.Json;

namespace Uniscale.Data;

/// <summary>Reads how a tokenizer.json rewrites texts (its normalizer).</summary>
internal static class NormalizerJson
{
    /// <summary>The steps of a normalizer.</summary>
    public static IReadOnlyList<TextRewrite> Read(JsonElement? normalizer) =>
        normalizer?.Text("type") switch
        {
            null when normalizer is null => [],
            "Sequence" => [.. (normalizer?.Field("normalizers")?.EnumerateArray().ToArray() ?? []).SelectMany(part => Read(part))],
            "NFC" => [new CanonicalRewrite(composes: true)],
            "NFD" => [new CanonicalRewrite(composes: false)],
            "Lowercase" => [new LowerCase()],
            "Prepend" => [new Prefix(normalizer?.Text("prepend") ?? "")],
            "Replace" => [new Replacement(PatternOf(normalizer?.Field("pattern")), normalizer?.Text("content") ?? "")],
            var other => throw new FormatException($"the normalizer {other ?? "without a type"}"),
        };

    /// <summary>A pattern as Split and Replace have it: a text, or a regular expression.</summary>
    public static Pattern PatternOf(JsonElement? pattern)
    {
        if (pattern?.Text("String") is { Length: > 0 } text)
            return Pattern.Literal(text);
        string expression =
            pattern?.Text("Regex") ?? throw new FormatException("a pattern that is neither a text nor a regular expression");
        try
        {
            return Pattern.Parse(expression);
        }
        catch (FormatException error)
        {
            throw new FormatException($"the pattern {expression}: it has {error.Message}", error);
        }
    }
}
