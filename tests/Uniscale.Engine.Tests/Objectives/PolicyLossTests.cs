using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Objectives;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Objectives;

/// <summary>
/// The loss of a policy on cases made by hand: the numbers stand in docs/reference/objectives.md, and were computed with Python's math
/// module; gradients are held to plain torch
/// written from the formulas.
/// </summary>
public sealed class PolicyLossTests
{
    private const double Precision = 1e-6;

    [Theory]
    [InlineData(-1, -1, -1, 1, -1.000000, -1.000000, 0.000000, 0.000000, 0.000000)]
    [InlineData(-1, -1.5, -1.2, 1, -1.200000, -1.280000, 0.200000, 0.020000, 0.018731)]
    [InlineData(-1, -1.5, -1.2, -1, 1.648721, 1.648721, 0.200000, 0.020000, 0.018731)]
    [InlineData(-2, -1, -1.5, 1, -0.367879, -0.367879, -0.500000, 0.125000, 0.148721)]
    [InlineData(-2, -1, -1.5, -1, 0.800000, 0.800000, -0.500000, 0.125000, 0.148721)]
    [InlineData(-1, -1.1, -12, 0.5, -0.552585, -0.552585, 10.000000, 50.000000, 9.000045)]
    public void TokensHaveTheLossesOfThePage(
        double policy,
        double old,
        double reference,
        double advantage,
        double clipped,
        double clippedHigh,
        double k1,
        double k2,
        double k3
    )
    {
        double Of(KlKind kind, double high, double beta) =>
            Judge(new PolicyLoss(0.2, high, kind), beta, [(policy, old, reference, advantage, 1)]).Loss;
        Assert.Equal(clipped, Of(KlKind.K3, 0.2, 0), Precision);
        Assert.Equal(clippedHigh, Of(KlKind.K3, 0.28, 0), Precision);
        Assert.Equal(clipped + (0.04 * k1), Of(KlKind.K1, 0.2, 0.04), Precision);
        Assert.Equal(clipped + (0.04 * k2), Of(KlKind.K2, 0.2, 0.04), Precision);
        Assert.Equal(clipped + (0.04 * k3), Of(KlKind.K3, 0.2, 0.04), Precision);
    }

    [Theory]
    [InlineData(KlKind.K1)]
    [InlineData(KlKind.K2)]
    [InlineData(KlKind.K3)]
    public void GradientsAreThoseOfTheFormula(KlKind kind)
    {
        (double Policy, double Old, double Reference, double Advantage, double Weight)[] tokens =
        [
            (-1, -1.5, -1.2, 1, 0.5),
            (-1, -1.5, -1.2, -1, 0.25),
            (-2, -1, -1.5, 1, 1),
            (-2, -1, -1.5, -1, 1),
            (-0.3, -0.35, -0.2, 0.7, 2),
            (-5, -1, -2, 3, 0),
        ];
        using var scope = NewDisposeScope();
        var x = tensor(tokens.Select(token => token.Policy).ToArray(), float64, requires_grad: true);
        var loss = zeros([], float64);
        for (int i = 0; i < tokens.Length; i++)
        {
            var ratio = (x[i] - Scalars.Of(tokens[i].Old)).exp();
            var open = ratio * Scalars.Of(tokens[i].Advantage);
            var held = ratio.clamp(Scalars.Of(0.8), Scalars.Of(1.2)) * Scalars.Of(tokens[i].Advantage);
            var l = x[i] - Scalars.Of(tokens[i].Reference);
            var kl =
                kind == KlKind.K1 ? l
                : kind == KlKind.K2 ? l.square() * Scalars.Of(0.5)
                : l.neg().exp().sub(Scalars.One).add(l, Scalars.One);
            loss = loss.add(kl * Scalars.Of(0.3) - minimum(open, held), Scalars.Of(tokens[i].Weight));
        }
        loss.backward();
        var (found, gradient, _) = Judge(new PolicyLoss(0.2, 0.2, kind), 0.3, tokens);
        Assert.Equal(loss.item<double>(), found, 1e-9);
        Assert.All(gradient.Zip(x.grad!.data<double>().ToArray()), pair => Assert.Equal(pair.Second, pair.First, 1e-9));
    }

    /// <summary>Weights, as they stand, are part of every measure; what has none takes no part, whatever it is.</summary>
    [Fact]
    public void MeasuresAreSumsByWeight()
    {
        var loss = new PolicyLoss(0.2, 0.2, KlKind.K3);
        var (_, gradient, measured) = Judge(loss, 0, [(-1, -1.5, -1, 1, 0.5), (-1, -1, -1, 1, 0.5), (double.NegativeInfinity, 0, 0, 1, 0)]);
        Assert.Equal(["loss/policy_avg", "policy/approxkl_avg", "policy/clipfrac_avg", "val/ratio", "val/log_ratio"], loss.Measures);
        Assert.Equal([-1.1, 0.0625, 0.5, 1.324361, 0.25], measured.Select(value => Math.Round(value, 6)));
        Assert.Equal(0, gradient[2]);
    }

    /// <summary>Tokens of text are learned by −log π and their own weight, and take no part in the rest.</summary>
    [Fact]
    public void TextIsLearnedBesideAnswers()
    {
        var loss = new PolicyLoss(0.2, 0.2, KlKind.K3, learnsText: true);
        var (value, gradient, measured) = Judge(
            loss,
            0,
            [(-1, -1.5, -1, 1, 1), (-2, 0, 0, 0, 0), (-3, 0, 0, 0, 0), (double.NegativeInfinity, 0, 0, 0, 0)],
            text: [0, 0.5, 0.25, 0]
        );
        Assert.Equal(-1.2 + 1 + 0.75, value, 1e-9);
        Assert.Equal([0, -0.5, -0.25, 0], gradient.Select(number => Math.Round(number, 9)));
        Assert.Equal("loss/ptx", loss.Measures[^1]);
        Assert.Equal(1.75, measured[^1], 1e-9);
    }

    /// <summary>
    /// The head's log-probabilities are those of the full softmax at the temperature, in loss and gradients, in one chunk and in several.
    /// </summary>
    [Theory]
    [InlineData(50, 1.0)]
    [InlineData(50, 0.7)]
    [InlineData(1 << 20, 1.5)]
    public void TheHeadTakesProbabilitiesAtTheTemperature(long vocabulary, double temperature)
    {
        const long Tokens = 17;
        using var scope = NewDisposeScope();
        var x = randn([1, Tokens, 4]).requires_grad_();
        var weight = randn([vocabulary, 4]).mul_(Scalars.Of(0.3)).requires_grad_();
        var targets = randint(0, vocabulary, [1, Tokens], dtype: int64);
        var columns = zeros([Enum.GetValues<RolloutColumn>().Length, 1, Tokens], float64);
        columns[(long)RolloutColumn.Weight].fill_(Scalars.Of(1.0))[0, 5] = 0;
        columns[(long)RolloutColumn.Old].fill_(Scalars.Of(-Math.Log(vocabulary) / temperature));
        columns[(long)RolloutColumn.Advantage].copy_(randn([1, Tokens], float64));
        targets[0, 5] = -100;

        var (x64, weight64) = (x.detach().to(float64).requires_grad_(), weight.detach().to(float64).requires_grad_());
        var kept = arange(Tokens).ne(Scalars.Of(5));
        var all = nn
            .functional.log_softmax(x64[0].mm(weight64.t()) / Scalars.Of(temperature), 1)
            .gather(1, targets[0].clamp_min(Scalars.Of(0)).view(-1, 1))
            .view(-1);
        var ratio = (all - columns[(long)RolloutColumn.Old][0]).exp();
        var advantage = columns[(long)RolloutColumn.Advantage][0];
        var expected =
            -minimum(ratio * advantage, ratio.clamp(Scalars.Of(0.8), Scalars.Of(1.2)) * advantage)[kept].sum() * Scalars.Of(0.25);
        var wanted = autograd.grad([expected], [x64, weight64]);

        var rollouts = new RolloutTokens
        {
            Columns = columns,
            Temperature = temperature,
            Loss = new PolicyLoss(0.2, 0.2, KlKind.K3),
        };
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = targets,
            Targets = targets,
            LossScale = 0.25,
            Rollouts = rollouts,
        };
        var ops = ParallelOps.Local();
        var sum = empty(weight.shape, float32);
        ops.Sink.Register(weight, () => new GradientSum(sum, IsEmpty: true));
        var loss = ops.AnswerLoss(x, weight, vocabulary, context);
        var got = autograd.grad([loss], [x, weight], allow_unused: true);
        Closeness.AssertClose("loss", loss, expected, 1e-5);
        Closeness.AssertClose("input gradient", got[0], wanted[0], 1e-5);
        Closeness.AssertClose("weight gradient", sum, wanted[1], 1e-5);
    }

    private static (double Loss, double[] Gradient, double[] Measured) Judge(
        PolicyLoss loss,
        double beta,
        (double Policy, double Old, double Reference, double Advantage, double Weight)[] tokens,
        double[]? text = null
    )
    {
        using var scope = NewDisposeScope();
        double[] columns =
        [
            .. tokens.Select(token => token.Weight),
            .. tokens.Select(token => token.Old),
            .. tokens.Select(token => token.Reference),
            .. tokens.Select(token => token.Advantage),
        ];
        columns = [.. columns, .. new double[2 * tokens.Length], .. text ?? new double[tokens.Length]];
        using var rollouts = new RolloutTokens
        {
            Columns = tensor(columns, [7, 1, tokens.Length], float64),
            KlWeight = beta,
            Loss = loss,
        };
        var (value, gradient) = rollouts.Judge(tensor(tokens.Select(token => token.Policy).ToArray(), float64));
        return (value.item<double>(), gradient.data<double>().ToArray(), rollouts.Measured!.data<double>().ToArray());
    }
}
