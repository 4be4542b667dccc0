using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Objectives;

/// <summary>What shares a pack does not see each other, and where it lies changes nothing.</summary>
public sealed class PackTests
{
    private const int Context = 32;

    /// <summary>
    /// A token of sample A is changed: of sample B, behind it in the same pack, neither loss nor any gradient changes by a bit.
    /// </summary>
    [Fact]
    public void ATokenOfOneSampleChangesNothingInAnother()
    {
        RunRecord Of(int token)
        {
            int[] a = [5, token, 7, 8, 9],
                b = [11, 12, 13, 14, 15, 16];
            return Record(ObjectiveKind.Sft, Pack((a, false), (b, true)));
        }

        var (one, other) = (Of(20), Of(70));
        Assert.Equal(one.Losses, other.Losses);
        Assert.All(one.Gradients, gradient => Assert.Equal(gradient.Value, other.Gradients[gradient.Key]));
        Assert.Contains(one.Gradients, gradient => gradient.Value.Any(value => value != 0));
    }

    /// <summary>The score of an answer is the same alone in a pack, behind others, and with another padding.</summary>
    [Fact]
    public void AScoreDependsOnNothingButItsAnswer()
    {
        int[] good = [3, 4, 5, 6, 96],
            bad = [3, 4, 8, 96],
            other = [40, 41, 42, 43, 44, 96],
            worse = [40, 50, 96];
        double[] alone = Scores(Comparisons(0, good, bad));
        double[] second = Scores(Comparisons(0, other, worse));
        foreach (
            double[] both in (double[][])[Scores(Comparisons(0, good, bad, other, worse)), Scores(Comparisons(77, other, worse, good, bad))]
        )
        {
            Assert.Equal(alone[0] + second[0], both[0], 1e-6);
            Assert.Equal(alone[1] + second[1], both[1], 1e-6);
        }
        Assert.Equal(alone, Scores(Comparisons(60, good, bad)));
        Assert.NotEqual(alone[0], alone[1], 1e-5);
    }

    /// <summary>Sums of the chosen and the rejected scores of one pack.</summary>
    private static double[] Scores(Packed pack) =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = RankRuntime.Create(Run(ObjectiveKind.Reward), world, pack, Context);
                var found = runtime.Evaluate(pack, 1)!;
                return (double[])[found.Measures["reward/chosen"], found.Measures["reward/rejected"]];
            }
        )[0];

    private static RunRecord Record(ObjectiveKind objective, Packed pack) =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = RankRuntime.Create(Run(objective), world, pack, 100 * Context);
                return RunRecord.Of(runtime, 1);
            }
        )[0];

    private static RunConfiguration Run(ObjectiveKind objective) =>
        ObjectiveLayoutTests.Of(objective) with
        {
            Batch = new() { Global = 1, Micro = 1 },
        };

    private static Packed Pack(params (int[] Tokens, bool Learned)[] samples) =>
        new(
            0,
            [
                .. samples.Select(sample =>
                    (
                        sample.Tokens,
                        sample.Tokens.Select((_, i) => sample.Learned && i > 1 ? TokenMarks.Learned : TokenMarks.None).ToArray()
                    )
                ),
            ]
        );

    private static Packed Comparisons(int padding, params int[][] answers) =>
        new(
            padding,
            [
                .. answers.Select(
                    (tokens, number) =>
                        (
                            tokens,
                            tokens
                                .Select(
                                    (_, i) =>
                                        i < tokens.Length - 1 ? TokenMarks.Learned
                                        : number % 2 == 1 ? TokenMarks.Score | TokenMarks.Last
                                        : TokenMarks.Score
                                )
                                .ToArray()
                        )
                ),
            ]
        );

    /// <summary>The same pack over and over.</summary>
    private sealed class Packed(int padding, (int[] Tokens, TokenMarks[] Marks)[] samples) : ISequenceSource
    {
        public string Fingerprint => "pack";

        public bool HasMarks => true;

        public StepPlan StepAt(long consumedTokens) => new(0, consumedTokens / Context, 1, Context, consumedTokens, 0, 100 * Context);

        public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
        {
            tokens.Fill(padding);
            documents.Fill(samples.Length);
            int at = 0;
            for (int sample = 0; sample < samples.Length; sample++)
            {
                samples[sample].Tokens.CopyTo(tokens[at..]);
                if (!documents.IsEmpty)
                    documents.Slice(at, samples[sample].Tokens.Length).Fill(sample);
                at += samples[sample].Tokens.Length;
            }
        }

        public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
        {
            marks.Clear();
            int at = 0;
            foreach (var (_, own) in samples)
            {
                own.CopyTo(marks[at..]);
                at += own.Length;
            }
        }
    }
}
