using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Objectives;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Objectives;

/// <summary>
/// Losses of pairs on cases made by hand: the numbers stand in docs/reference/objectives.md, and were computed with Python's math module;
/// gradients are held to plain
/// torch written from the formulas.
/// </summary>
public sealed class PairLossTests
{
    private const double Precision = 1e-6;

    [Theory]
    [InlineData(1, 0, 0.313262, 0.090632, -0.037306, 0.026663)]
    [InlineData(0, 1, 1.313262, 1.313262, 1.185323, 1.249292)]
    [InlineData(3, -2, 0.006715, 0.000001, -0.116341, -0.058170)]
    [InlineData(0.2, 0.1, 0.644397, 0.581619, 0.452904, 0.517261)]
    [InlineData(4.9, -6, 0.000018, 0.000000, 0.092306, 0.046153)]
    public void ScoresHaveTheLossesOfTheReportAndOfTheReleasedCode(
        double better,
        double worse,
        double ranking,
        double focal,
        double report,
        double code
    )
    {
        var plain = new RewardSection { Barrier = 0, Loss = RankingKind.Ranking };
        Assert.Equal(ranking, LossOf(new RewardLoss(plain), [better, worse]), Precision);
        Assert.Equal(focal, LossOf(new RewardLoss(plain with { Loss = RankingKind.Focal }), [better, worse]), Precision);
        Assert.Equal(report, LossOf(new RewardLoss(Preset("internlm2")), [better, worse]), Precision);
        Assert.Equal(code, LossOf(new RewardLoss(Preset("internlm2-code")), [better, worse]), Precision);
    }

    /// <summary>Three answers are three pairs that count as one comparison together (InstructGPT).</summary>
    [Fact]
    public void ComparisonsOfSeveralAnswersAreMeansOverTheirPairs()
    {
        double[] scores = [1, 0.5, -1];
        (int, int)[] pairs = [(0, 1), (0, 2), (1, 2)];
        Assert.Equal(0.267473, LossOf(new RewardLoss(Preset("instructgpt")), scores, pairs), Precision);
        Assert.Equal(0.037674, LossOf(new RewardLoss(Preset("internlm2-code")), scores, pairs), Precision);
    }

    [Theory]
    [InlineData(-10, -12, 0.1, 0.693147, 0.693147, 0.693147)]
    [InlineData(-8, -15, 0.1, 0.474077, 0.524077, 0.650354)]
    [InlineData(-12, -11, 0.5, 1.701413, 1.551413, 0.861555)]
    public void LogProbabilitiesHaveTheLossesOfDirectPreferenceOptimization(
        double better,
        double worse,
        double beta,
        double plain,
        double smoothed,
        double normalised
    )
    {
        var section = new DpoSection { Beta = beta };
        double Of(DpoSection dpo) => LossOf(new DpoLoss(dpo), [better, worse], null, reference: [-10, -12], lengths: [4, 8]);
        Assert.Equal(plain, Of(section), Precision);
        Assert.Equal(smoothed, Of(section with { LabelSmoothing = 0.1 }), Precision);
        Assert.Equal(normalised, Of(section with { LengthNormalised = true }), Precision);
    }

    [Theory]
    [InlineData("internlm2")]
    [InlineData("internlm2-code")]
    [InlineData("openrlhf")]
    public void GradientsOfScoresAreThoseOfTheFormula(string preset)
    {
        var section = Preset(preset);
        double[] scores = [0.3, -1.2, 2, 2.5, -4.99, 5.5];
        (int, int)[] pairs = [(0, 1), (2, 3), (4, 5)];
        using var scope = NewDisposeScope();
        var x = tensor(scores, float64, requires_grad: true);
        var loss = zeros([], float64);
        foreach (var (better, worse) in pairs)
        {
            var p = (x[worse] - x[better]).exp().add(Scalars.One).reciprocal();
            var told = (p - Scalars.Of(0.5)).clamp_min(Scalars.Of(0.0)) * Scalars.Of(2.0);
            var factor =
                section.Loss == RankingKind.Focal ? (Scalars.Of(1.0) - told).pow(Scalars.Of(section.FocalGamma)) : ones([], float64);
            loss -= factor * p.log();
            foreach (int answer in (int[])[better, worse])
            {
                var held = x[answer].clamp(Scalars.Of(-4.999), Scalars.Of(4.999));
                loss -= (Scalars.Of(5.0) - held).log().add(held.add(Scalars.Of(5.0)).log(), Scalars.One) * Scalars.Of(section.Barrier);
            }
        }
        loss.backward();
        var (found, gradient, _) = Judge(new RewardLoss(section), scores, pairs);
        Assert.Equal(loss.item<double>(), found, 1e-9);
        Assert.All(gradient.Zip(x.grad!.data<double>().ToArray()), pair => Assert.Equal(pair.Second, pair.First, 1e-9));
    }

    [Fact]
    public void MeasuresAreAccuracyAndMeanRewards()
    {
        var (_, _, measured) = Judge(new RewardLoss(new RewardSection()), [1, 0, -1, 2, 3, 3], [(0, 1), (2, 3), (4, 5)]);
        Assert.Equal([1.5, 0.731059 + 0.952574 + 0.5, 3, 5], measured.Select(value => Math.Round(value, 6)));
        Assert.Equal(["accuracy", "confidence", "reward/chosen", "reward/rejected"], new RewardLoss(new RewardSection()).Measures);
    }

    [Fact]
    public void AMicrobatchWithoutAnswersHasNoLoss()
    {
        var (loss, gradient, measured) = Judge(new RewardLoss(new RewardSection()), [0], []);
        Assert.Equal((0, 0), (loss, gradient[0]));
        Assert.Equal([0, 0, 0, 0], measured);
    }

    private static RewardSection Preset(string name) =>
        ConfigurationLoader.Parse($"objective: reward\nreward: {{ preset: {name} }}\ntrain: {{ steps: 1 }}").Value.Reward;

    private static double LossOf(
        PairLoss loss,
        double[] sums,
        (int, int)[]? pairs = null,
        double[]? reference = null,
        double[]? lengths = null
    ) => Judge(loss, sums, pairs ?? [(0, 1)], reference, lengths).Loss;

    private static (double Loss, double[] Gradient, double[] Measured) Judge(
        PairLoss loss,
        double[] sums,
        (int Better, int Worse)[] pairs,
        double[]? reference = null,
        double[]? lengths = null
    )
    {
        using var scope = NewDisposeScope();
        double weight = pairs.Length == 3 && sums.Length == 3 ? 1.0 / 3 : 1;
        Tensor Numbers(IEnumerable<int> values) =>
            pairs.Length == 0 ? zeros([0], int64) : tensor(values.Select(value => (long)value).ToArray(), int64);
        using var answers = new AnswerSet
        {
            Numbers = zeros([1, 1], int64),
            Count = sums.Length,
            Better = Numbers(pairs.Select(pair => pair.Better)),
            Worse = Numbers(pairs.Select(pair => pair.Worse)),
            Weights = full([pairs.Length], Scalars.Of(weight), float64),
            Lengths = tensor(lengths ?? [.. sums.Select(_ => 1.0)], float64),
        };
        // Without a loss the sums are kept as the reference, as the other model's pass does it.
        if (reference is not null)
            answers.Judge(tensor(reference, float64), speaks: true);
        answers.Loss = loss;
        var (value, gradient) = answers.Judge(tensor(sums, float64), speaks: true);
        return (value.item<double>(), gradient.data<double>().ToArray(), answers.Measured!.data<double>().ToArray());
    }
}
