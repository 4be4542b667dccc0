using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Angles of rotary position embedding (Su et al., 2021): pair i of a head turns by position · base^(−2i/headDim). Pairs are
/// (i, i + headDim/2), as in Hugging Face's Llama, so that its weights fit without permutation.
/// </summary>
public sealed class RotaryFrequencies
{
    private readonly double[] _frequencies;
    private readonly double _magnitude;
    private readonly (int HeadDim, double AngleBase, RotaryStretch Stretch, int LogNContext) _given;
    private RotaryFrequencies? _other;

    /// <param name="headDim">Width of a head; even.</param>
    /// <param name="angleBase">Base of the angles.</param>
    /// <param name="stretch">How angles are stretched beyond the trained context; null: they are not.</param>
    /// <param name="logNContext">Positions from which on queries grow with the logarithm of the position; 0: they do not.</param>
    public RotaryFrequencies(int headDim, double angleBase, RotaryStretch? stretch = null, int logNContext = 0)
    {
        if (headDim % 2 != 0)
            throw new UserErrorException($"Rotary positions turn pairs of features, so model.head_dim must be even, not {headDim}.");
        _given = (headDim, angleBase, stretch ?? RotaryStretch.None, logNContext);
        (_frequencies, _magnitude) = (_given.Stretch.Frequencies(headDim, angleBase), _given.Stretch.Magnitude);
    }

    /// <summary>Angle per position of each pair, [headDim/2].</summary>
    public IReadOnlyList<double> Frequencies => _frequencies;

    /// <summary>Cosines and sines are multiplied by it: queries and keys grow by it (YaRN); 1 with other formulas.</summary>
    public double Magnitude => _magnitude;

    /// <summary>
    /// The same with another base, as a phase of the curriculum may have one; null: this one. The last one asked for is kept.
    /// </summary>
    public RotaryFrequencies WithBase(double? angleBase)
    {
        if (angleBase is not { } wanted || wanted == _given.AngleBase)
            return this;
        var kept = _other;
        return kept?._given.AngleBase == wanted
            ? kept
            : _other = new RotaryFrequencies(_given.HeadDim, wanted, _given.Stretch, _given.LogNContext);
    }

    /// <summary>
    /// By what queries at positions int64 [batch or 1, sequence] are multiplied: max(1, log(position + 1) / log(L0)), fp32
    /// [batch or 1, sequence, 1, 1] (log-n scaling; Chiang and Cholak, 2022); null: by nothing.
    /// </summary>
    public Tensor? QueryScale(Tensor positions)
    {
        if (_given.LogNContext == 0)
            return null;
        using var scope = NewDisposeScope();
        var lengths = (positions.to(float64) + Scalars.One).unsqueeze(-1).unsqueeze(-1);
        return (lengths.log() * Scalars.Of(1 / Math.Log(_given.LogNContext))).clamp_min(Scalars.One).to(float32).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// fp32 cosines and sines of positions int64 [batch or 1, sequence]: [batch or 1, sequence, 1, headDim/2]. Angles are fp64.
    /// </summary>
    public (Tensor Cosine, Tensor Sine) Angles(Tensor positions)
    {
        using var scope = NewDisposeScope();
        var perPosition = DeviceConstants.Of(_given, positions.device, _ => from_array(_frequencies));
        var angles = positions.to(float64).unsqueeze(-1).unsqueeze(-1) * perPosition;
        var (cosine, sine) = (angles.cos(), angles.sin());
        if (_magnitude != 1)
        {
            var magnitude = Scalars.Of(_magnitude);
            (cosine, sine) = (cosine * magnitude, sine * magnitude);
        }
        return scope.MoveToOuter(cosine.to(float32), sine.to(float32));
    }
}
