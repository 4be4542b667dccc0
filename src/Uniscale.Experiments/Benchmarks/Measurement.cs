namespace Uniscale.Experiments.Benchmarks;

/// <summary>What a part is held against.</summary>
public enum Yardstick
{
    /// <summary>Multiply-adds with operands from the first-level cache, FLOP/s.</summary>
    Peak,

    /// <summary>A plain copy from memory to memory, bytes a second.</summary>
    Copy,

    /// <summary>A plain write to the same storage, bytes a second.</summary>
    Write,
}

/// <summary>A part of training that was measured alone, several times, each time beside its yardstick.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Detail">Sizes and types.</param>
/// <param name="Seconds">Median time.</param>
/// <param name="Rate">FLOP or bytes a second at the median.</param>
/// <param name="Yardstick">What it is held against.</param>
/// <param name="YardstickRate">That, measured in the same run.</param>
public sealed record Measurement(string Name, string Detail, double Seconds, double Rate, Yardstick Yardstick, double YardstickRate)
{
    /// <summary>Share of the yardstick.</summary>
    public double Share => Rate / YardstickRate;
}
