using Uniscale.Configuration;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Objectives;

/// <summary>Estimates of the divergence of a policy from a reference at tokens that were drawn from the policy (Schulman, 2020).</summary>
public static class Divergence
{
    /// <summary>Log-ratios are held to so much on either side.</summary>
    public const double Bound = 10;

    /// <summary>The estimate at a token.</summary>
    public static double Of(KlKind kind, double policy, double reference)
    {
        double l = Math.Clamp(policy - reference, -Bound, Bound);
        return kind switch
        {
            KlKind.K1 => l,
            KlKind.K2 => l * l / 2,
            KlKind.K3 => Math.Exp(-l) - 1 + l,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown estimate."),
        };
    }

    /// <summary>The estimate at each token, of the shape given; differentiable by <paramref name="policy"/>.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="policy">log π.</param>
    /// <param name="reference">log π_ref.</param>
    public static Tensor Of(KlKind kind, Tensor policy, Tensor reference)
    {
        using var scope = NewDisposeScope();
        var l = (policy - reference).clamp(Scalars.Of(-Bound), Scalars.Of(Bound));
        var estimate = kind switch
        {
            KlKind.K1 => l,
            KlKind.K2 => l * l * Scalars.Of(0.5),
            KlKind.K3 => l.neg().expm1().add(l, Scalars.One),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown estimate."),
        };
        return estimate.MoveToOuterDisposeScope();
    }
}
