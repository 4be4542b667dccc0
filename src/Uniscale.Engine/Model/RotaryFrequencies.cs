using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Angles of rotary position embedding (Su et al., 2021): pair i of a head turns by position · base^(−2i/headDim). Pairs are
/// (i, i + headDim/2), as in Hugging Face's Llama, so that its weights fit without permutation.
/// </summary>
public sealed class RotaryFrequencies
{
    private readonly double[] _frequencies;
    private readonly (int HeadDim, double AngleBase, RopeScalingKind Scaling, double Factor) _given;
    private RotaryFrequencies? _other;

    /// <param name="headDim">Width of a head; even.</param>
    /// <param name="angleBase">Base of the angles.</param>
    /// <param name="scaling">Linear: positions divided by the factor (Chen et al., 2023). NTK-aware: the base multiplied by
    /// factor^(headDim/(headDim−2)), so that the lowest frequency is stretched by the factor and the highest is kept.</param>
    /// <param name="factor">Stretch factor.</param>
    public RotaryFrequencies(int headDim, double angleBase, RopeScalingKind scaling = RopeScalingKind.None, double factor = 1)
    {
        if (headDim % 2 != 0)
            throw new UserErrorException($"Rotary positions turn pairs of features, so model.head_dim must be even, not {headDim}.");
        _given = (headDim, angleBase, scaling, factor);
        if (scaling == RopeScalingKind.NtkAware && headDim > 2)
            angleBase *= Math.Pow(factor, headDim / (headDim - 2.0));
        double divisor = scaling == RopeScalingKind.Linear ? factor : 1;
        _frequencies = new double[headDim / 2];
        for (int i = 0; i < _frequencies.Length; i++)
            _frequencies[i] = Math.Pow(angleBase, -2.0 * i / headDim) / divisor;
    }

    /// <summary>Angle per position of each pair, [headDim/2].</summary>
    public IReadOnlyList<double> Frequencies => _frequencies;

    /// <summary>The same with another base, as a phase of the curriculum may have one; null: this one. The last one asked for is kept.</summary>
    public RotaryFrequencies WithBase(double? angleBase)
    {
        if (angleBase is not { } wanted || wanted == _given.AngleBase)
            return this;
        var kept = _other;
        return kept?._given.AngleBase == wanted ? kept : _other = new RotaryFrequencies(_given.HeadDim, wanted, _given.Scaling, _given.Factor);
    }

    /// <summary>fp32 cosines and sines of positions int64 [batch or 1, sequence]: [batch or 1, sequence, 1, headDim/2]. Angles are fp64.</summary>
    public (Tensor Cosine, Tensor Sine) Angles(Tensor positions)
    {
        using var scope = NewDisposeScope();
        var perPosition = DeviceConstants.Of(_given, positions.device, _ => from_array(_frequencies));
        var angles = positions.to(float64).unsqueeze(-1).unsqueeze(-1) * perPosition;
        return scope.MoveToOuter(angles.cos().to(float32), angles.sin().to(float32));
    }
}
