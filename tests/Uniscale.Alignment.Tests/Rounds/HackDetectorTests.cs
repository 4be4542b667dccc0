using System.Text.Json.Nodes;
using Uniscale.Alignment.Rounds;
using Uniscale.Alignment.Samples;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Tests.Rounds;

/// <summary>What counts as a deceit of the reward model, and what is written of it.</summary>
public sealed class HackDetectorTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-rounds-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("longer", 10, 20, 0.1, 0.1, 0.5, 0.5, true, true)]
    [InlineData("shorter", 20, 10, 0.1, 0.1, 0.5, 0.5, true, true)]
    [InlineData("repetition", 10, 10, 0.1, 0.3, 0.5, 0.5, true, true)]
    [InlineData("held-out", 10, 10, 0.1, 0.1, 0.5, 0.2, true, true)]
    [InlineData("unended", 10, 10, 0.1, 0.1, 0.5, 0.5, true, false)]
    public void A_measure_that_moves_while_the_score_rises_is_a_pattern(
        string name,
        int tokens,
        int lateTokens,
        double repetition,
        double lateRepetition,
        double heldOut,
        double lateHeldOut,
        bool ended,
        bool lateEnded
    )
    {
        IReadOnlyList<AnswerPair> Pairs(double gain) =>
            [
                .. Enumerable
                    .Range(0, 12)
                    .Select(i =>
                    {
                        double score = i * 0.1,
                            late = score + gain + i % 2 * 0.1,
                            more = i * 0.01;
                        return new AnswerPair(
                            Answer(i, $"early {i}", score, tokens + i % 3, repetition, heldOut + more, ended),
                            Answer(i, $"late {i}", late, lateTokens + i % 3, lateRepetition, lateHeldOut + more, lateEnded)
                        );
                    }),
            ];
        var found = Assert.Single(new HackDetector(new FastPathSection()).Find(Pairs(1)));
        Assert.Equal((name, "d", 12), (found.Pattern.Name, found.Pattern.Domain, found.Pairs.Count));
        Assert.True(found.Pairs[0].Late.Score - found.Pairs[0].Early.Score >= found.Pairs[^1].Late.Score - found.Pairs[^1].Early.Score);
        // What moves without the score is nobody's deceit.
        Assert.Empty(new HackDetector(new FastPathSection()).Find(Pairs(-1)));
        // And of a few prompts nothing is said.
        Assert.Empty(new HackDetector(new FastPathSection()).Find([.. Pairs(1).Take(HackDetector.FewestPrompts - 1)]));
    }

    [Fact]
    public void A_change_is_told_in_its_standard_errors()
    {
        // Differences 1, 2, 3: mean 2, deviation 1, standard error 1/√3.
        var change = HackDetector.ChangeOf([0, 0, 0], [1, 2, 3]);
        Assert.Equal(2 * Math.Sqrt(3), change.Deviations, 1e-12);
        Assert.Equal((0, 2), (change.Early, change.Late));
        Assert.Equal(0, HackDetector.ChangeOf([1, 2], [1, 2]).Deviations);
    }

    [Fact]
    public void Answers_that_become_alike_and_the_users_own_patterns_are_found()
    {
        AnswerPair[] pairs =
        [
            .. Enumerable
                .Range(0, 20)
                .Select(i => new AnswerPair(Answer(i, $"early {i}", 0, 10), Answer(i, "I am sure.", 1 + i * 0.01, 10))),
        ];
        var section = new FastPathSection { Patterns = new Dictionary<string, string> { ["sure"] = "sure" } };
        Assert.Equal(["alike", "sure"], new HackDetector(section).Find(pairs).Select(found => found.Pattern.Name));
    }

    [Fact]
    public void Rules_label_pairs_and_equal_ones_are_left_out()
    {
        AnswerPair[] pairs =
        [
            new(Answer(0, "7", 0, 1), Answer(0, "8", 1, 1)),
            new(Answer(1, "8", 0, 1), Answer(1, "7", 1, 1)),
            new(Answer(2, "1", 0, 1), Answer(2, "2", 1, 1)),
        ];
        var pattern = new HackPattern("d", "longer", new Change(0, 1, 9), new Change(0, 1, 9), 3);
        var folder = new RoundFolder(_folder.FullName, 1);
        var section = new FastPathSection { Label = [new RewardRuleSection { Kind = RewardKind.Number }] };
        // The same pairs under two patterns count once.
        FoundPattern[] patterns = [new(pattern, pairs), new(pattern, pairs)];
        Assert.Equal(new FastPathResult(3, 2, 1, 0), RoundPairs.WriteFast(folder, patterns, section, seed: 1));
        var patches = File.ReadLines(folder.Patches).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(2, patches.Count);
        Assert.All(patches, patch => Assert.Equal(("7", "8", "d"), ($"{patch["chosen"]}", $"{patch["rejected"]}", $"{patch["domain"]}")));

        // Without rules they wait for people, who cannot see whose answer stands first.
        Assert.Equal(new FastPathResult(3, 0, 0, 3), RoundPairs.WriteFast(folder, patterns, new FastPathSection(), seed: 1));
        var open = File.ReadLines(folder.FastPairs).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(["a", "b", "better", "domain", "id", "prompt"], open[0].AsObject().Select(each => each.Key).Order());
    }

    [Fact]
    public void An_answer_that_was_cut_off_is_no_ended_one_in_a_comparison()
    {
        AnswerPair[] pairs = [new(Answer(0, "7", 0, 1), Answer(0, "8 and", 1, 1, ended: false))];
        var pattern = new HackPattern("d", "unended", new Change(0, 1, 9), new Change(0, 1, 9), 1);
        var folder = new RoundFolder(_folder.FullName, 1);
        var section = new FastPathSection { Label = [new RewardRuleSection { Kind = RewardKind.Number }] };
        RoundPairs.WriteFast(folder, [new(pattern, pairs)], section, seed: 1);
        var patch = JsonNode.Parse(Assert.Single(File.ReadLines(folder.Patches)))!;
        Assert.Equal("""[{"role":"assistant","content":"8 and","ended":false}]""", patch["rejected"]!.ToJsonString());
        Assert.Equal("7", $"{patch["chosen"]}");

        // Through the hands of people too.
        RoundPairs.WriteFast(folder, [new(pattern, pairs)], new FastPathSection(), seed: 1);
        var open = JsonNode.Parse(Assert.Single(File.ReadLines(folder.FastPairs)))!;
        open["better"] = $"{open["a"]}" == "7" ? "a" : "b";
        string labels = Path.Combine(_folder.FullName, "labels");
        Directory.CreateDirectory(labels);
        File.WriteAllText(Path.Combine(labels, "one.jsonl"), open.ToJsonString());
        var label = Assert.Single(RoundPairs.ReadLabels(labels));
        Assert.Equal(patch["rejected"]!.ToJsonString(), label.Rejected.ToJsonString());
        Assert.Equal("7", $"{label.Chosen}");
    }

    [Fact]
    public void Labels_are_read_and_what_is_no_label_is_refused()
    {
        string labels = Path.Combine(_folder.FullName, "labels");
        Assert.Empty(RoundPairs.ReadLabels(labels));
        Directory.CreateDirectory(labels);
        string Line(string better) => $$"""{"id":"round-1/slow/0","domain":"d","prompt":"?","a":"x","b":"y","better":{{better}}}""";
        File.WriteAllLines(Path.Combine(labels, "one.jsonl"), [Line("\"a\""), Line("\"b\""), Line("\"tie\""), Line("null"), ""]);
        Assert.Equal(["x>y", "y>x"], RoundPairs.ReadLabels(labels).Select(pair => $"{pair.Chosen}>{pair.Rejected}"));
        foreach (
            var (line, sentence) in (ReadOnlySpan<(string, string)>)
                [
                    (Line("\"c\""), "better is 'c' in round-1/slow/0: write a, b or tie"),
                    ("""{"better":"a"}""", "lacks its domain, prompt, a or b"),
                    ("{", "two.jsonl, line 1, is damaged"),
                ]
        )
        {
            File.WriteAllText(Path.Combine(labels, "two.jsonl"), line);
            Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => RoundPairs.ReadLabels(labels)).Message);
        }
    }

    private static RecordedAnswer Answer(
        int number,
        string text,
        double score,
        int tokens,
        double repetition = 0.1,
        double? heldOut = null,
        bool ended = true
    ) =>
        new()
        {
            Number = number,
            Domain = "d",
            Prompt = JsonValue.Create($"prompt {number}"),
            Answer = text,
            Reference = "7",
            Score = score,
            HeldOut = heldOut,
            Tokens = tokens,
            Repetition = repetition,
            Ended = ended,
        };
}
