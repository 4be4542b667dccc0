namespace Uniscale.Configuration.Schema;

/// <summary>Bounds of a number, both inclusive unless said otherwise.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RangeAttribute(double minimum, double maximum = double.PositiveInfinity) : Attribute
{
    /// <summary>Least value.</summary>
    public double Minimum { get; } = minimum;

    /// <summary>Greatest value.</summary>
    public double Maximum { get; } = maximum;

    /// <summary>The minimum itself is refused.</summary>
    public bool MinimumExclusive { get; init; }

    /// <summary>The maximum itself is refused.</summary>
    public bool MaximumExclusive { get; init; }

    /// <summary>Whether a value lies within, and on the right side of an open end.</summary>
    public bool Contains(double value) =>
        (MinimumExclusive ? value > Minimum : value >= Minimum) && (MaximumExclusive ? value < Maximum : value <= Maximum);

    /// <summary>The bounds in words, e.g. "at least 1" or "between 0 and 1".</summary>
    public string Describe()
    {
        string low = Quantity.Format(Minimum);
        string high = Quantity.Format(Maximum);
        if (double.IsPositiveInfinity(Maximum))
            return MinimumExclusive ? $"greater than {low}" : $"at least {low}";
        string notes = (MinimumExclusive, MaximumExclusive) switch
        {
            (true, true) => ", both excluded",
            (true, false) => $", {low} excluded",
            (false, true) => $", {high} excluded",
            _ => "",
        };
        return $"between {low} and {high}{notes}";
    }
}

/// <summary>What a number counts, and with it the suffixes that may follow it.</summary>
public enum Unit
{
    /// <summary>Tokens: K, M, B or G, T are powers of 1000; the word "tokens" may follow.</summary>
    Tokens,

    /// <summary>Bytes: KB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB powers of 1024.</summary>
    Bytes,

    /// <summary>Seconds: ms, s, min, h, d.</summary>
    Duration,

    /// <summary>Floating-point operations per second: K, M, G, T, P; "FLOP/s" may follow.</summary>
    Flops,
}

/// <summary>The unit of a number.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class UnitAttribute(Unit unit) : Attribute
{
    /// <summary>The unit.</summary>
    public Unit Unit { get; } = unit;
}

/// <summary>How an enum member is written in YAML: the first name is printed, all are read. Default: its name in kebab-case.</summary>
[AttributeUsage(AttributeTargets.Field)]
public sealed class YamlNameAttribute(string name, params string[] aliases) : Attribute
{
    /// <summary>The word in configuration files.</summary>
    public string Name { get; } = name;

    /// <summary>Other words for it.</summary>
    public IReadOnlyList<string> Aliases { get; } = aliases;
}

/// <summary>The values that a string may have.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OneOfAttribute(params string[] values) : Attribute
{
    /// <summary>The values that may be given.</summary>
    public IReadOnlyList<string> Values { get; } = values;
}

/// <summary>A text, or texts, that name files or folders: <c>~/</c> at the beginning is the home folder.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FilePathAttribute : Attribute;
