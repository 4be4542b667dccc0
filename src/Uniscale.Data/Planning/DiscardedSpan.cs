using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// Data that a run has passed but whose updates are not in its weights: that of a step that was left out, or of the steps that a rollback
/// took back.
/// Spans of a run lie in order and apart.
/// </summary>
/// <param name="FromStep">Steps done before the first of them.</param>
/// <param name="ToStep">Steps done after the last of them; greater by more than one where a rollback took steps back.</param>
/// <param name="FromTokens">Tokens consumed before.</param>
/// <param name="ToTokens">Tokens consumed after.</param>
/// <param name="Reason">A short word: not-finite, loss-spike, gradient-spike.</param>
public sealed record DiscardedSpan(long FromStep, long ToStep, long FromTokens, long ToTokens, string Reason)
{
    /// <summary>Name under which a checkpoint keeps the spans of its run.</summary>
    public const string CheckpointKey = "curriculum.discarded";

    /// <summary>Tokens of the span.</summary>
    public long Tokens => ToTokens - FromTokens;

    /// <summary>The spans as a checkpoint keeps them.</summary>
    public static string Write(IEnumerable<DiscardedSpan> spans) =>
        string.Join(
            ';',
            spans.Select(span =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{span.FromStep} {span.ToStep} {span.FromTokens} {span.ToTokens} {span.Reason}"
                )
            )
        );

    /// <summary>The spans that a checkpoint has kept; none where it has kept nothing.</summary>
    /// <exception cref="UserErrorException">The text is not of this form.</exception>
    public static IReadOnlyList<DiscardedSpan> Read(IReadOnlyDictionary<string, string> extra)
    {
        if (!extra.TryGetValue(CheckpointKey, out string? text) || text.Length == 0)
            return [];
        return [.. text.Split(';').Select(Parse)];
    }

    private static DiscardedSpan Parse(string text)
    {
        string[] words = text.Split(' ');
        long[] numbers =
        [
            .. words
                .Take(4)
                .Select(word => long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : -1),
        ];
        return words.Length == 5 && Array.TrueForAll(numbers, number => number >= 0)
            ? new DiscardedSpan(numbers[0], numbers[1], numbers[2], numbers[3], words[4])
            : throw new UserErrorException(
                $"The checkpoint's {CheckpointKey} holds '{text}', which this version cannot read: continue with the version that wrote it."
            );
    }
}
