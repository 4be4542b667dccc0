using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Evaluation.Judging;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale evaluate judge</c>: which of two models answers better, as a third one judges, in both orders.</summary>
internal static class JudgeCommand
{
    private static readonly Argument<string> A = new("A")
    {
        Description = "Answers of the one model: samples of evaluate, or JSON lines of id, question and answer.",
    };
    private static readonly Argument<string> B = new("B") { Description = "Answers of the other." };
    private static readonly Option<string?> Judge = new("--judge")
    {
        Description = "The judge: a run, one of its checkpoints, or a Hugging Face model's folder.",
        HelpName = "RUN",
    };
    private static readonly Option<string?> Verdicts = new("--verdicts")
    {
        Description = "What a judge elsewhere said: JSON lines of id, order (ab or ba) and verdict.",
        HelpName = "FILE",
    };
    private static readonly Option<string?> Requests = new("--write-requests")
    {
        Description = "Write what a judge elsewhere is to be asked: JSON lines of id, order and prompt.",
        HelpName = "FILE",
    };
    private static readonly Option<int> Tokens = new("--tokens") { Description = "Tokens of a judgement.", DefaultValueFactory = _ => 256 };
    private static readonly Option<int> Ranks = new("--ranks")
    {
        Description = "Threads that read the judge.",
        DefaultValueFactory = _ => 1,
    };

    public static Command Create()
    {
        var command = new Command(
            "judge",
            "Let a judge compare two models' answers, each pair in both orders: an answer wins where it is preferred in both."
        )
        {
            A,
            B,
            Judge,
            Verdicts,
            Requests,
            Tokens,
            Ranks,
        };
        command.SetAction(parsed =>
        {
            var pairs = JudgedPair.Read(parsed.GetValue(A)!, parsed.GetValue(B)!);
            var output = parsed.InvocationConfiguration.Output;
            var (judge, verdicts, requests) = (parsed.GetValue(Judge), parsed.GetValue(Verdicts), parsed.GetValue(Requests));
            if (new[] { judge, verdicts, requests }.Count(given => given is not null) != 1)
                throw new UserErrorException("Give one of --judge RUN, --verdicts FILE and --write-requests FILE.");
            if (requests is not null)
            {
                OutputFile.Check(requests, "--write-requests");
                File.WriteAllLines(requests, JudgeRequests.Lines(pairs));
                output.WriteLine($"{2 * pairs.Count} requests are in {requests}; give what the judge says with --verdicts.");
                return 0;
            }
            var report = verdicts is not null ? JudgeRequests.Read(pairs, verdicts) : Ask(pairs, judge!, parsed);
            foreach (string line in report.Table())
                output.WriteLine(line);
            return 0;
        });
        return command;
    }

    private static JudgeReport Ask(IReadOnlyList<JudgedPair> pairs, string judge, ParseResult parsed)
    {
        var (tokens, ranks) = (parsed.GetValue(Tokens), parsed.GetValue(Ranks));
        if (tokens < 1)
            throw new UserErrorException($"--tokens is {tokens}; give 1 or more.");
        if (ranks < 1)
            throw new UserErrorException($"--ranks is {ranks}; give 1 or more.");
        using var opened = OpenedModel.Open(judge);
        using var answers = new AnswerStore(Path.Combine(judge, ResultFolder.Name, "answers.tsv"));
        using var readers = ReaderThreads.Of(opened.Model, ranks);
        return JudgeRequests.Ask(pairs, readers, opened.Tokenizer, opened.Digest, answers, tokens, judge);
    }
}
