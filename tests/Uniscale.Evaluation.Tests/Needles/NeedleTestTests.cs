using Uniscale.Configuration;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Needles;

public sealed class NeedleTestTests : IDisposable
{
    private const int Context = 600;

    private static readonly NeedleOptions Options = new()
    {
        Lengths = [150, Context],
        Depths = 5,
        AnswerTokens = 10,
        // Its sign occurs nowhere else, so that there is one place to copy from.
        Needle = "The light is #{key}.",
        Question = "\nWhich light? #",
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-needles-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AModelThatCopiesFindsEveryNeedle()
    {
        var report = Run("found", Options, 1, induction: true);
        Assert.Equal(10, report.Results.Count);
        Assert.All(
            report.Results,
            result =>
                Assert.True(result.Found, $"{result.Cell.Length} tokens, {result.Cell.Depth}%: {result.Cell.Key} and '{result.Answer}'")
        );
        Assert.Equal((1.0, 100.0), (report.Found.Value, report.Mean.Value));
        Assert.Equal(10, report.Results.Select(result => result.Cell.Key).Distinct().Count());
    }

    [Fact]
    public void AnUntrainedModelFindsNone()
    {
        var report = Run("untrained", Options, 1, induction: false);
        Assert.Equal(0, report.Found.Value);
        Assert.InRange(report.Mean.Value, 0, 20);
    }

    /// <summary>Any number of ranks, and a test that was killed in the middle: the same answers.</summary>
    [Fact]
    public void RanksAndStopsDoNotMoveACell()
    {
        var options = Options with { Lengths = [150, 151], Repeats = 2 };
        var one = Answers(Run("one", options, 1, induction: false));
        Assert.Equal(one, Answers(Run("three", options, 3, induction: false)));
        string[] lines = File.ReadAllLines(Path.Combine(_folder, "one", "answers.tsv"));
        Assert.Equal(20, lines.Length);
        Directory.CreateDirectory(Path.Combine(_folder, "killed"));
        File.WriteAllText(Path.Combine(_folder, "killed", "answers.tsv"), string.Join('\n', lines[..7]) + "\n" + lines[7][..40]);
        Assert.Equal(one, Answers(Run("killed", options, 1, induction: false)));
        Assert.Equal(lines.Length, File.ReadAllLines(Path.Combine(_folder, "killed", "answers.tsv")).Length);
    }

    /// <summary>
    /// Twice the trained length. Which place the first layer looks at is computed beforehand from the published formulas: the one where Σ
    /// cos(θ'·n − θ) over the pairs is largest. It is the
    /// place before under a formula that leaves the fast pairs alone, and another one under the linear formula, which divides them.
    /// </summary>
    [Theory]
    [InlineData(RopeScalingKind.Linear, 2)]
    [InlineData(RopeScalingKind.NtkAware, 1)]
    [InlineData(RopeScalingKind.Dynamic, 1)]
    [InlineData(RopeScalingKind.Yarn, 1)]
    [InlineData(RopeScalingKind.Llama3, 1)]
    public void FormulasFindNeedlesWhereTheirAnglesSayIt(RopeScalingKind scaling, int looksBack)
    {
        double[] angles = Angles(scaling, factor: 2);
        Assert.Equal(
            looksBack,
            Enumerable
                .Range(0, 2 * Context)
                .MaxBy(n => angles.Select((angle, pair) => Math.Cos(angle * n - InductionModel.Frequency(pair))).Sum())
        );
        var longer = Options with { Lengths = [2 * Context], Depths = 3, Scaling = scaling };
        Assert.Equal(looksBack == 1 ? 1 : 0, Run(scaling.ToString(), longer, 1, induction: true).Found.Value);
    }

    /// <summary>The formulas, written down once more.</summary>
    private static double[] Angles(RopeScalingKind scaling, double factor)
    {
        const int Dim = InductionModel.HeadDim;
        const double Base = InductionModel.Base;
        // Dynamic NTK at twice the length with factor 2 stretches as the static one by 3.
        double stretched = Base * Math.Pow(scaling == RopeScalingKind.Dynamic ? 2 * factor - (factor - 1) : factor, Dim / (Dim - 2.0));
        double Ramp(double turns) => Dim * Math.Log(Context / (turns * 2 * Math.PI)) / (2 * Math.Log(Base));
        double low = Math.Max(0, Math.Floor(Ramp(32))),
            high = Math.Ceiling(Ramp(1));
        return
        [
            .. Enumerable
                .Range(0, Dim / 2)
                .Select(pair =>
                {
                    double angle = Math.Pow(Base, -2.0 * pair / Dim),
                        turns = Context * angle / (2 * Math.PI);
                    double kept =
                        scaling == RopeScalingKind.Yarn
                            ? 1 - Math.Clamp((pair - low) / (high - low), 0, 1)
                            : Math.Clamp((turns - 1) / 3, 0, 1);
                    return scaling switch
                    {
                        RopeScalingKind.Linear => angle / factor,
                        RopeScalingKind.NtkAware or RopeScalingKind.Dynamic => Math.Pow(stretched, -2.0 * pair / Dim),
                        _ => (1 - kept) * angle / factor + kept * angle,
                    };
                }),
        ];
    }

    [Fact]
    public void LongerTextsNeedPositionsThatAreStretched() =>
        Assert.Contains(
            "--lengths asks for 1200 tokens, and the model was trained for 600",
            Refused(Options with { Lengths = [2 * Context] }),
            StringComparison.Ordinal
        );

    /// <summary>A model whose own positions are dynamic reads longer texts without a word.</summary>
    [Fact]
    public void ADynamicModelNeedsNoOption()
    {
        var shape = InductionModel.Shape(500, Context) with { RopeScaling = RopeScalingKind.Dynamic, RopeFactor = 2 };
        var (own, given) = (
            Options.At(shape, 1200),
            (Options with { Scaling = RopeScalingKind.Dynamic }).At(InductionModel.Shape(500, Context), 1200)
        );
        Assert.Equal(1200, own.Context);
        Assert.Equal(given.RopeBase, own.RopeBase);
        Assert.True(own.RopeBase > shape.RopeBase);
        Assert.Equal(shape.RopeBase, Options.At(shape, 300).RopeBase);
    }

    [Fact]
    public void WhatMakesNoSenseIsRefused()
    {
        Assert.Contains("--depths is 0", Refused(Options with { Depths = 0 }), StringComparison.Ordinal);
        Assert.Contains("--repeats is 0", Refused(Options with { Repeats = 0 }), StringComparison.Ordinal);
        Assert.Contains("--tokens is 0", Refused(Options with { AnswerTokens = 0 }), StringComparison.Ordinal);
        Assert.Contains("has no place for the key", Refused(Options with { Needle = "nothing" }), StringComparison.Ordinal);
        Assert.Contains("would tell the answer", Refused(Options with { Question = "{key}?" }), StringComparison.Ordinal);
        Assert.Contains("without a stretching", Refused(Options with { Factor = 2 }), StringComparison.Ordinal);
        Assert.Contains(
            "--rope-factor is 0.5",
            Refused(Options with { Factor = 0.5, Scaling = RopeScalingKind.Linear }),
            StringComparison.Ordinal
        );
        Assert.Contains("A length of 20 tokens is too short", Refused(Options with { Lengths = [20] }), StringComparison.Ordinal);
        var learned = SmallModel.Shape with { Positions = PositionKind.Learned };
        Assert.Contains(
            "a learned table of positions",
            Assert.Throws<UserErrorException>(() => (Options with { Scaling = RopeScalingKind.Linear }).At(learned, 10)).Message,
            StringComparison.Ordinal
        );
        var stretched = SmallModel.Shape with { RopeScaling = RopeScalingKind.Linear, RopeFactor = 4 };
        Assert.Contains(
            "stretched already",
            Assert.Throws<UserErrorException>(() => (Options with { Scaling = RopeScalingKind.Linear }).At(stretched, 10)).Message,
            StringComparison.Ordinal
        );
    }

    private string Refused(NeedleOptions options) =>
        Assert.Throws<UserErrorException>(() => Run("refused", options, 1, induction: true)).Message;

    private static List<string> Answers(NeedleReport report) =>
        [
            .. report.Results.Select(result =>
                $"{result.Cell.Length} {result.Cell.Depth} {result.Cell.Repeat} {result.Cell.Key} {result.Answer}"
            ),
        ];

    private NeedleReport Run(string name, NeedleOptions options, int ranks, bool induction)
    {
        using var tokenizer = SmallTokenizer.Open();
        using var answers = new AnswerStore(Path.Combine(_folder, name, "answers.tsv"));
        using var model = induction
            ? InductionModel.Load(tokenizer.Size, Context)
            : SmallModel.Trained(SmallModel.Shape with { Vocabulary = 500 });
        var haystack = Haystack.Filler(options.Seed, tokenizer);
        return new NeedleReport(haystack.Name, options, NeedleTest.Of(model, tokenizer, "made", answers, ranks).Run(haystack, options));
    }
}
