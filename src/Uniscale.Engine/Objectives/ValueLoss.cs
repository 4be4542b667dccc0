using Uniscale.Engine.Model;
using Uniscale.Torch;
using Uniscale.Torch.Autograd;
using static TorchSharp.torch;

namespace Uniscale.Engine.Objectives;

/// <summary>
/// The loss of a critic: with the value V of a token, the one that the batch was read with and the return R, ½·max((V − R)², (V_old +
/// clip(V − V_old, ±c) − R)²), times a coefficient
/// (docs/reference/objectives.md has worked values).
/// </summary>
/// <param name="clip">c; 0: ½·(V − R)².</param>
/// <param name="coefficient">What the loss is multiplied with.</param>
public sealed class ValueLoss(double clip, double coefficient) : ITokenLoss
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Measures { get; } = ["loss/value_avg", "val/clipfrac_avg", "val/value_avg"];

    /// <inheritdoc/>
    public (Tensor Loss, Tensor Gradient, Tensor Measured) Of(Tensor found, RolloutTokens tokens)
    {
        using var scope = NewDisposeScope();
        using var grad = enable_grad();
        Tensor weights = tokens[RolloutColumn.Weight],
            old = tokens[RolloutColumn.Value],
            returns = tokens[RolloutColumn.Return];
        var value = found.detach().clone().requires_grad_();
        var open = (value - returns).pow(Scalars.Of(2));
        var held =
            clip == 0
                ? open
                : ((value - old).clamp(Scalars.Of(-clip), Scalars.Of(clip)).add(old, Scalars.One) - returns).pow(Scalars.Of(2));
        var each = maximum(open, held) * weights * Scalars.Of(0.5 * coefficient);
        var loss = each.sum();
        var gradient = Gradients.Of(loss, ones_like(loss), [value])[0]!;
        using var noGrad = no_grad();
        var measured = stack([loss.detach(), (held.gt(open).to(float64) * weights).sum(), (value * weights).sum()]);
        return (loss.detach().MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope(), measured.detach().MoveToOuterDisposeScope());
    }
}
