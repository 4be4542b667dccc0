using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Torch;
using Uniscale.Torch.Autograd;
using static TorchSharp.torch;

namespace Uniscale.Engine.Objectives;

/// <summary>
/// The clipped loss of a policy (Schulman et al., 2017): with the ratio ρ = exp(log π − log π_old) of a token and its advantage A,
/// −min(ρ·A, clip(ρ, 1 − ε, 1 + ε_high)·A) + β·KL (docs/reference/objectives.md has worked values). Log-ratios are held to ±20.
/// </summary>
/// <param name="clip">ε.</param>
/// <param name="clipHigh">ε above 1.</param>
/// <param name="kl">Estimate of the divergence from the reference, whose weight β the tokens bring.</param>
/// <param name="learnsText">Tokens of text, whose loss is −log π by a weight of their own, are among the others.</param>
public sealed class PolicyLoss(double clip, double clipHigh, KlKind kl, bool learnsText = false) : ITokenLoss
{
    /// <summary>Mean of the ratio.</summary>
    public const string Ratio = "val/ratio";

    /// <summary>Mean distance of the log-ratio from 0.</summary>
    public const string LogRatio = "val/log_ratio";

    private const double Bound = 20;

    /// <inheritdoc/>
    public IReadOnlyList<string> Measures { get; } =
    ["loss/policy_avg", "policy/approxkl_avg", "policy/clipfrac_avg", Ratio, LogRatio, .. learnsText ? (string[])["loss/ptx"] : []];

    /// <inheritdoc/>
    public (Tensor Loss, Tensor Gradient, Tensor Measured) Of(Tensor found, RolloutTokens tokens)
    {
        using var scope = NewDisposeScope();
        using var grad = enable_grad();
        Tensor weights = tokens[RolloutColumn.Weight],
            text = tokens[RolloutColumn.Text];
        var counted = weights.ne(Scalars.Of(0.0)).logical_or(text.ne(Scalars.Of(0.0)));
        // What takes no part may be anything, and 0 times that is not 0.
        var policy = where(counted, found, zeros_like(found)).detach().requires_grad_();
        var (logRatio, ratio, open, held) = Surrogates(policy, tokens);
        var policyLoss = maximum(open, held) * weights;
        var loss = policyLoss.sum();
        if (tokens.KlWeight != 0)
            loss = loss.add((Divergence.Of(kl, policy, tokens[RolloutColumn.Reference]) * weights).sum(), Scalars.Of(tokens.KlWeight));
        var textLoss = learnsText ? (policy * text).sum().neg() : null;
        if (textLoss is not null)
            loss = loss.add(textLoss, Scalars.One);
        var gradient = Gradients.Of(loss, ones_like(loss), [policy])[0]!;
        using var noGrad = no_grad();
        var measured = stack([
            policyLoss.detach().sum(),
            (logRatio * logRatio * Scalars.Of(0.5) * weights).sum(),
            (held.gt(open).to(float64) * weights).sum(),
            (ratio * weights).sum(),
            (logRatio.abs() * weights).sum(),
            .. textLoss is null ? (Tensor[])[] : [textLoss.detach()],
        ]);
        return (loss.detach().MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope(), measured.detach().MoveToOuterDisposeScope());
    }

    private (Tensor LogRatio, Tensor Ratio, Tensor Open, Tensor Held) Surrogates(Tensor policy, RolloutTokens tokens)
    {
        var lost = tokens[RolloutColumn.Advantage].neg();
        var logRatio = (policy - tokens[RolloutColumn.Old]).clamp(Scalars.Of(-Bound), Scalars.Of(Bound));
        var ratio = logRatio.exp();
        return (logRatio, ratio, ratio * lost, ratio.clamp(Scalars.Of(1 - clip), Scalars.Of(1 + clipHigh)) * lost);
    }
}

/// <summary>The loss of objectives whose tokens are judged each for itself.</summary>
public static class TokenLosses
{
    /// <summary>The loss of a run; null: it learns no answers of its own.</summary>
    public static ITokenLoss? Of(RunConfiguration configuration) =>
        configuration.Objective switch
        {
            ObjectiveKind.Ppo when configuration.Model.Head == HeadKind.Score => new ValueLoss(
                configuration.Ppo.ValueClip,
                configuration.Ppo.ValueCoefficient
            ),
            ObjectiveKind.Ppo => new PolicyLoss(
                configuration.Ppo.Clip,
                configuration.Ppo.Clip,
                configuration.Ppo.Kl,
                configuration.Ppo.Ptx > 0
            ),
            ObjectiveKind.Grpo => new PolicyLoss(
                configuration.Grpo.Clip,
                configuration.Grpo.ClipHigh ?? configuration.Grpo.Clip,
                configuration.Grpo.Kl
            ),
            _ => null,
        };
}
