using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Planning.Clusters;

/// <summary>One figure of a cluster and where it comes from. A figure that nobody published stays "unknown" and is reported so.</summary>
public sealed record Figure
{
    /// <summary>How a figure that is not known is written.</summary>
    public const string Unknown = "unknown";

    /// <summary>The number with its unit (<c>312T</c>, <c>80GB</c>, <c>10ms</c>), or <c>unknown</c>.</summary>
    public string Value { get; init; } = Unknown;

    /// <summary>Publication, measurement or fit that the number was read from.</summary>
    public string Source { get; init; } = "";

    /// <summary>Whether there is a number.</summary>
    public bool IsKnown => Value != Unknown;

    /// <summary>The number; null where it is unknown.</summary>
    /// <param name="unit">Suffixes that it may have.</param>
    /// <param name="place">File and key, for messages.</param>
    /// <exception cref="UserErrorException">It is no number, below 0, or has no source.</exception>
    internal double? Read(Unit unit, string place)
    {
        if (!IsKnown)
            return null;
        if (!Quantity.TryParse(Value, unit, out double value) || value < 0)
            throw new UserErrorException(
                $"{place}.value is '{Value}', which is no number of its kind: write a number such as 312T, 80GB or 5ms, or 'unknown'."
            );
        return Source.Length > 0
            ? value
            : throw new UserErrorException(
                $"{place} has a value but no source: say in {place}.source where the figure comes from, or write 'unknown'."
            );
    }
}
