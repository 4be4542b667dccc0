using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>The global batch as a function of consumed tokens.</summary>
public static class BatchRamp
{
    /// <summary>
    /// The steps of the ramp in order: from which consumed tokens on, how many sequences a step has. Without a ramp one entry, from 0.
    /// A number such as <c>64</c> or <c>1_024</c> counts sequences, one with a suffix such as <c>4M</c> counts tokens and is divided by
    /// <paramref name="context"/> and rounded. <paramref name="name"/> is the key that errors name.
    /// </summary>
    public static IReadOnlyList<(long FromTokens, int Sequences)> Of(BatchSection batch, int context, string name = "batch.ramp")
    {
        if (batch.Ramp.Count == 0)
            return [(0, batch.Global)];
        var steps = batch
            .Ramp.Select(entry =>
                (FromTokens: Quantity.ParseTokens(entry.Key, $"A key of {name}"), Sequences: Sequences(entry.Value, context, name))
            )
            .ToArray();
        if (steps[0].FromTokens != 0)
            throw new UserErrorException($"{name} begins at {Quantity.FormatTokens(steps[0].FromTokens)}: let its first key be 0.");
        for (int i = 1; i < steps.Length; i++)
            if (steps[i].FromTokens <= steps[i - 1].FromTokens)
                throw new UserErrorException(
                    $"{name} is not in rising order at {Quantity.FormatTokens(steps[i].FromTokens)}: sort its keys."
                );
        return steps;
    }

    private static int Sequences(string text, int context, string name)
    {
        // A number is a number however it is written; a unit is what makes it tokens.
        if (!Quantity.TryParseNumber(text, out double sequences))
            sequences = Math.Round((double)Quantity.ParseTokens(text, $"A value of {name}") / context);
        return sequences == Math.Floor(sequences) && sequences is >= 1 and <= Limits.Sequences
            ? (int)sequences
            : throw new UserErrorException(
                $"A value of {name} is '{text}', which makes {Quantity.Format(sequences)} sequences of {context} tokens: give a whole number of sequences from 1 to {Limits.Sequences}, or tokens with a suffix such as 4M."
            );
    }
}
