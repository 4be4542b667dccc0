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
        Assert.All(report.Results, result => Assert.True(result.Found, $"{result.Cell.Length} tokens, {result.Cell.Depth}%: {result.Cell.Key} and '{result.Answer}'"));
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
    /// Positions stretched twice: the head that looks one place back looks two places back under the linear formula, and finds nothing; the NTK-aware one leaves
    /// the fast pairs nearly as they are.
    /// </summary>
    [Fact]
    public void LongerTextsNeedPositionsThatAreStretched()
    {
        var longer = Options with { Lengths = [2 * Context] };
        Assert.Contains("--lengths asks for 1200 tokens, and the model was trained for 600", Refused(longer), StringComparison.Ordinal);
        Assert.Equal(0, Run("linear", longer with { Scaling = RopeScalingKind.Linear }, 1, induction: true).Found.Value);
        Assert.Equal(1, Run("ntk", longer with { Scaling = RopeScalingKind.NtkAware }, 1, induction: true).Found.Value);
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
        Assert.Contains("--rope-factor is 0.5", Refused(Options with { Factor = 0.5, Scaling = RopeScalingKind.Linear }), StringComparison.Ordinal);
        Assert.Contains("A length of 20 tokens is too short", Refused(Options with { Lengths = [20] }), StringComparison.Ordinal);
        var learned = SmallModel.Shape with { Positions = PositionKind.Learned };
        Assert.Contains("a learned table of positions", Assert.Throws<UserErrorException>(() => (Options with { Scaling = RopeScalingKind.Linear }).At(learned, 10)).Message, StringComparison.Ordinal);
        var stretched = SmallModel.Shape with { RopeScaling = RopeScalingKind.Linear, RopeFactor = 4 };
        Assert.Contains("stretched already", Assert.Throws<UserErrorException>(() => (Options with { Scaling = RopeScalingKind.Linear }).At(stretched, 10)).Message, StringComparison.Ordinal);
    }

    private string Refused(NeedleOptions options) => Assert.Throws<UserErrorException>(() => Run("refused", options, 1, induction: true)).Message;

    private static List<string> Answers(NeedleReport report) => [.. report.Results.Select(result => $"{result.Cell.Length} {result.Cell.Depth} {result.Cell.Repeat} {result.Cell.Key} {result.Answer}")];

    private NeedleReport Run(string name, NeedleOptions options, int ranks, bool induction)
    {
        using var tokenizer = SmallTokenizer.Open();
        using var answers = new AnswerStore(Path.Combine(_folder, name, "answers.tsv"));
        using var model = induction ? InductionModel.Load(tokenizer.Size, Context) : SmallModel.Trained(SmallModel.Shape with { Vocabulary = 500 });
        var haystack = Haystack.Filler(options.Seed, tokenizer);
        return new NeedleReport(haystack.Name, options, new NeedleTest(model, tokenizer, "made", answers, ranks).Run(haystack, options));
    }
}
