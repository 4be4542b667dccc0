using Uniscale.Configuration;
using Uniscale.Evaluation.Judging;

namespace Uniscale.Evaluation.Tests.Judging;

/// <summary>Judges with known habits.</summary>
public sealed class JudgeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-judge-").FullName;

    public JudgeTests()
    {
        File.WriteAllLines(
            In("a.jsonl"),
            Enumerable.Range(0, 4).Select(i => $$"""{"id":"q{{i}}","question":"Which?","answer":"good {{i}}"}""")
        );
        File.WriteAllLines(
            In("b.jsonl"),
            [
                .. Enumerable.Range(0, 4).Select(i => $$"""{"id":"q{{i}}","question":"Which?","resps":["bad {{i}}"],"doc_id":{{i}}}"""),
                """{"id":"only b","question":"?","answer":""}""",
            ]
        );
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    // Who knows, prefers A wherever it stands; who likes a place, or says nothing, decides nothing.
    [InlineData("knows", 1.0, 1.0, 0.5, 0)]
    [InlineData("likes the first", 0.5, 0.0, 1.0, 0)]
    [InlineData("sees no difference", 0.5, 1.0, double.NaN, 0)]
    [InlineData("says nothing", 0.5, 0.0, double.NaN, 8)]
    public void AnAnswerWinsWhereItIsPreferredInBothOrders(string judge, double score, double consistent, double first, int unreadable)
    {
        var pairs = JudgedPair.Read(In("a.jsonl"), In("b.jsonl"));
        Assert.Equal(4, pairs.Count);
        File.WriteAllLines(
            In("verdicts.jsonl"),
            JudgeRequests
                .Lines(pairs)
                .Select(line =>
                {
                    using var request = System.Text.Json.JsonDocument.Parse(line);
                    string prompt = request.RootElement.GetProperty("prompt").GetString()!;
                    bool goodFirst =
                        prompt.IndexOf("good", prompt.IndexOf("Answer A:", StringComparison.Ordinal), StringComparison.Ordinal)
                        < prompt.IndexOf("Answer B:", StringComparison.Ordinal);
                    string verdict = judge switch
                    {
                        "knows" => goodFirst ? "B is poor. [[B]] would be wrong: [[A]]" : "[[B]]",
                        "likes the first" => "[[A]]",
                        "sees no difference" => "Equal. [[C]]",
                        _ => "I cannot say.",
                    };
                    return System.Text.Json.JsonSerializer.Serialize(
                        new
                        {
                            id = request.RootElement.GetProperty("id").GetString(),
                            order = request.RootElement.GetProperty("order").GetString(),
                            verdict,
                        }
                    );
                })
        );
        var report = JudgeRequests.Read(pairs, In("verdicts.jsonl"));
        Assert.Equal((score, consistent, unreadable), (report.Score.Value, report.Consistent, report.Unreadable));
        Assert.Equal(first, report.PreferredFirst);
    }

    [Fact]
    public void WhatIsMissingIsTold()
    {
        var pairs = JudgedPair.Read(In("a.jsonl"), In("b.jsonl"));
        File.WriteAllText(In("v.jsonl"), """{"id":"q0","order":"ab","verdict":"[[A]]"}""");
        Refused("no verdict on question 'q0' in the order ba", () => JudgeRequests.Read(pairs, In("v.jsonl")));
        File.WriteAllText(In("other.jsonl"), """{"id":"z","question":"?","answer":"x"}""");
        Refused("have no question in common", () => JudgedPair.Read(In("a.jsonl"), In("other.jsonl")));
        File.WriteAllText(In("broken.jsonl"), """{"id":"z"}""");
        Refused("broken.jsonl, line 1 is no answer", () => JudgedPair.Read(In("broken.jsonl"), In("a.jsonl")));
    }

    private static void Refused(string sentence, Func<object> act) =>
        Assert.Contains(
            sentence,
            Assert
                .Throws<UserErrorException>(() =>
                {
                    act();
                })
                .Message,
            StringComparison.Ordinal
        );

    private string In(string name) => Path.Combine(_folder, name);
}
