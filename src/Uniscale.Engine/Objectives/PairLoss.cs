using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Torch;
using Uniscale.Torch.Autograd;
using static TorchSharp.torch;

namespace Uniscale.Engine.Objectives;

/// <summary>
/// Losses over pairs of answers by a reward of each (docs/reference/objectives.md has the formulas and worked values). A reward model's
/// reward is its score; that of
/// direct preference optimization is β·(log π − log π_ref), of which the loss is the same.
/// </summary>
public abstract class PairLoss : IAnswerLoss
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Measures { get; } = ["accuracy", "confidence", "reward/chosen", "reward/rejected"];

    /// <inheritdoc/>
    public (Tensor Loss, Tensor Gradient, Tensor Measured) Of(Tensor sums, AnswerSet answers)
    {
        using var scope = NewDisposeScope();
        using var grad = enable_grad();
        var inputs = sums.detach().clone().requires_grad_();
        var rewards = Rewards(inputs, answers);
        Tensor better = rewards.index_select(0, answers.Better),
            worse = rewards.index_select(0, answers.Worse);
        var loss = (OfPairs(better, worse) * answers.Weights).sum();
        var gradient = answers.Better.size(0) == 0 ? zeros_like(sums) : Gradients.Of(loss, ones_like(loss), [inputs])[0]!;
        using var noGrad = no_grad();
        // Equal rewards tell nothing: half a point.
        var right = better.gt(worse).to(float64).add(better.eq(worse).to(float64), Scalars.Of(0.5));
        var confidence = (better - worse).abs().sigmoid();
        var measured = stack([
            .. ((Tensor[])[right, confidence, better, worse]).Select(values => (values.detach() * answers.Weights).sum()),
        ]);
        return (loss.detach().MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope(), measured.MoveToOuterDisposeScope());
    }

    /// <summary>Rewards of answers, fp64 [answers], differentiable.</summary>
    protected abstract Tensor Rewards(Tensor sums, AnswerSet answers);

    /// <summary>Loss of each pair, fp64 [pairs], differentiable.</summary>
    protected abstract Tensor OfPairs(Tensor better, Tensor worse);

    /// <summary>log σ(x), without overflow.</summary>
    protected static Tensor LogSigmoid(Tensor x) => nn.functional.logsigmoid(x);
}

/// <summary>
/// Loss of a reward model: with P = σ(better − worse), ranking −log P, or focal −(1 − 2·max(0, P − ½))^γ·log P, plus
/// λ·Σ −(log(b − s) + log(b + s)) over both scores s, held within ±(b − margin) (InternLM2 report, section 4.2.1; the clamp is the released
/// code's).
/// </summary>
/// <param name="section">Constants.</param>
public sealed class RewardLoss(RewardSection section) : PairLoss
{
    /// <inheritdoc/>
    protected override Tensor Rewards(Tensor sums, AnswerSet answers) => sums;

    /// <inheritdoc/>
    protected override Tensor OfPairs(Tensor better, Tensor worse)
    {
        var difference = better - worse;
        var loss = -LogSigmoid(difference);
        if (section.Loss == RankingKind.Focal)
        {
            var told = (difference.sigmoid() - Scalars.Of(0.5)).clamp_min(Scalars.Of(0.0)) * Scalars.Of(2.0);
            loss = (Scalars.Of(1.0) - told).pow(Scalars.Of(section.FocalGamma)) * loss;
        }
        return section.Barrier == 0 ? loss : loss.add(BarrierOf(better).add(BarrierOf(worse), Scalars.One), Scalars.Of(section.Barrier));
    }

    private Tensor BarrierOf(Tensor score)
    {
        double bound = section.BarrierBound,
            held = bound - section.BarrierMargin;
        var inside = score.clamp(Scalars.Of(-held), Scalars.Of(held));
        var (above, below) = (inside.neg().add(Scalars.Of(bound), Scalars.One), inside.add(Scalars.Of(bound), Scalars.One));
        return above.log().add(below.log(), Scalars.One).neg();
    }
}

/// <summary>
/// Direct preference optimization (Rafailov et al., 2023): with h = β·((log π − log π_ref)(better) − (log π − log π_ref)(worse)),
/// −(1 − ε)·log σ(h) − ε·log σ(−h); ε smooths labels (Mitchell, 2023). Length-normalised, log-probabilities are divided by the answer's
/// learned tokens.
/// </summary>
/// <param name="section">Constants.</param>
public sealed class DpoLoss(DpoSection section) : PairLoss
{
    /// <inheritdoc/>
    protected override Tensor Rewards(Tensor sums, AnswerSet answers)
    {
        var reference = answers.Reference ?? throw new InvalidOperationException("The reference model has not read these answers.");
        var gain = sums - reference;
        return (section.LengthNormalised ? gain / answers.Lengths : gain) * Scalars.Of(section.Beta);
    }

    /// <inheritdoc/>
    protected override Tensor OfPairs(Tensor better, Tensor worse)
    {
        var h = better - worse;
        var loss = -LogSigmoid(h);
        return section.LabelSmoothing == 0
            ? loss
            : loss * Scalars.Of(1 - section.LabelSmoothing) - LogSigmoid(-h) * Scalars.Of(section.LabelSmoothing);
    }
}
