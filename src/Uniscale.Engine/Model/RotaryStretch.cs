using Uniscale.Configuration;

namespace Uniscale.Engine.Model;

/// <summary>
/// How rotary angles are stretched beyond the trained context L0, with s the factor, d the width of a head and θ = base^(−2i/d). Linear:
/// θ/s (Chen et al., 2023). NTK-aware: the
/// base times s^(d/(d−2)), so that the slowest pair is stretched by s and the fastest is kept (bloc97, 2023). Dynamic NTK at a length L
/// beyond L0: the base times (s·L/L0 − (s−1))^(d/(d−2))
/// (emozilla, 2023). YaRN (Peng et al., 2023), with its ramp over the pair's index. Llama 3.1: pairs that turn seldom within L0 are divided
/// by s, fast ones kept, those between blended.
/// </summary>
/// <param name="Kind">The formula.</param>
/// <param name="Factor">s.</param>
/// <param name="TrainedContext">L0, in tokens.</param>
public sealed record RotaryStretch(RopeScalingKind Kind, double Factor, int TrainedContext)
{
    /// <summary>As trained.</summary>
    public static RotaryStretch None { get; } = new(RopeScalingKind.None, 1, 1);

    /// <summary>Turns within L0 above which YaRN keeps a pair.</summary>
    public double FastTurns { get; init; } = 32;

    /// <summary>Turns within L0 below which YaRN divides a pair by s.</summary>
    public double SlowTurns { get; init; } = 1;

    /// <summary>Turns within L0 above which Llama 3.1 keeps a pair.</summary>
    public double HighFrequency { get; init; } = 4;

    /// <summary>Turns within L0 below which Llama 3.1 divides a pair by s.</summary>
    public double LowFrequency { get; init; } = 1;

    /// <summary>YaRN's factor of queries and keys; 0: 0.1·ln s + 1.</summary>
    public double AttentionFactor { get; init; }

    /// <summary>The stretching of a model.</summary>
    public static RotaryStretch Of(ModelSection model) =>
        new(model.RopeScaling, model.RopeFactor, model.RopeTrainedContext)
        {
            FastTurns = model.RopeFastTurns,
            SlowTurns = model.RopeSlowTurns,
            HighFrequency = model.RopeHighFrequency,
            LowFrequency = model.RopeLowFrequency,
            AttentionFactor = model.RopeAttentionFactor,
        };

    /// <summary>By what queries and keys are multiplied.</summary>
    public double Magnitude =>
        Kind != RopeScalingKind.Yarn ? 1
        : AttentionFactor > 0 ? AttentionFactor
        : YarnMagnitude(Factor);

    /// <summary>0.1·ln s + 1, which YaRN found for Llama.</summary>
    public static double YarnMagnitude(double factor) => factor <= 1 ? 1 : 0.1 * Math.Log(factor) + 1;

    /// <summary>
    /// A model for texts of up to <paramref name="length"/> tokens. Dynamic NTK is turned into the base that it has at this length, for the
    /// whole of a text: keys under different
    /// bases do not fit together.
    /// </summary>
    public static ModelSection At(ModelSection model, int length)
    {
        if (model.RopeScaling != RopeScalingKind.Dynamic)
            return model;
        int trained = TrainedContextOf(model);
        double grown = Math.Max(1, model.RopeFactor * length / trained - (model.RopeFactor - 1));
        return model with
        {
            Context = Math.Max(length, model.Context),
            RopeScaling = RopeScalingKind.None,
            RopeFactor = 1,
            RopeBase = NtkBase(model.RopeBase, grown, model.HeadWidth),
        };
    }

    /// <summary>L0 of a model: what it names, else its context.</summary>
    public static int TrainedContextOf(ModelSection model) => model.RopeTrainedContext > 0 ? model.RopeTrainedContext : model.Context;

    /// <summary>base·factor^(d/(d−2)).</summary>
    public static double NtkBase(double angleBase, double factor, int headDim) =>
        headDim > 2 ? angleBase * Math.Pow(factor, headDim / (headDim - 2.0)) : angleBase;

    /// <summary>Angle per position of each pair, [headDim/2].</summary>
    internal double[] Frequencies(int headDim, double angleBase)
    {
        // Dynamic NTK leaves the trained context as it is; longer texts are read by the shape that At gives.
        if (Kind == RopeScalingKind.NtkAware)
            angleBase = NtkBase(angleBase, Factor, headDim);
        double divisor = Kind == RopeScalingKind.Linear ? Factor : 1;
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(angleBase, -2.0 * i / headDim);
            frequencies[i] = Kind switch
            {
                RopeScalingKind.Yarn => Blend(frequency, 1 - YarnRamp(i, headDim, angleBase)),
                RopeScalingKind.Llama3 => Blend(
                    frequency,
                    Math.Clamp((TrainedContext * frequency / (2 * Math.PI) - LowFrequency) / (HighFrequency - LowFrequency), 0, 1)
                ),
                _ => frequency / divisor,
            };
        }
        return frequencies;
    }

    /// <summary>A pair that is kept by a share and divided by s for the rest.</summary>
    private double Blend(double frequency, double kept) => (1 - kept) * frequency / Factor + kept * frequency;

    /// <summary>0 for pairs that are kept, 1 for those that are divided; the ends are whole indices, as in the authors' code.</summary>
    private double YarnRamp(int pair, int headDim, double angleBase)
    {
        double low = Math.Max(Math.Floor(IndexOf(FastTurns)), 0),
            high = Math.Min(Math.Ceiling(IndexOf(SlowTurns)), headDim - 1);
        if (low == high)
            high += 0.001;
        return Math.Clamp((pair - low) / (high - low), 0, 1);

        // The index whose pair turns so many times within L0.
        double IndexOf(double turns) => headDim * Math.Log(TrainedContext / (turns * 2 * Math.PI)) / (2 * Math.Log(angleBase));
    }
}
