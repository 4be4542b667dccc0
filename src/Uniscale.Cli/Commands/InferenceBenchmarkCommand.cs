using System.CommandLine;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Torch;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale benchmark inference</c>: how fast a model reads, generates and answers.</summary>
internal static class InferenceBenchmarkCommand
{
    private static readonly Argument<string> Run = new("RUN")
    {
        Description = "Directory of a run, of one of its checkpoints, or of a Hugging Face model.",
    };
    private static readonly Option<string> Batch = new("--batch")
    {
        Description = "Sequences at a time, separated by commas.",
        DefaultValueFactory = _ => "1,32",
    };
    private static readonly Option<int> Prompt = Count("--prompt", "Tokens of a prompt.", 128);
    private static readonly Option<int> Tokens = Count("--tokens", "Tokens that are generated behind each prompt.", 64);
    private static readonly Option<int> Questions = Count("--questions", "Questions of the exam, four choices each.", 64);
    private static readonly Option<int> Threads = Count(
        "--threads",
        "Threads; default: the processors that are here.",
        Environment.ProcessorCount
    );

    private static readonly Option<PrecisionKind> Precision = CommonOptions.ReadingPrecision();

    public static Command Create()
    {
        var command = new Command("inference", "Time a model that reads prompts, generates behind them, and answers an exam's questions.")
        {
            Run,
            Batch,
            Prompt,
            Tokens,
            Questions,
            Threads,
            Precision,
        };
        var rounds = BenchmarkCommand.Rounds(command);
        var json = CommonOptions.Json();
        command.Add(json);
        command.SetAction(parsed =>
        {
            TorchThreads.Set(BenchmarkCommand.AtLeastOne(parsed, Threads, "threads"));
            var works = Works(parsed, rounds);
            using var opened = OpenedModel.Open(parsed.GetValue(Run)!, parsed.GetValue(Precision));
            foreach (var work in works)
                if (work.Prompt + Math.Max(work.Question, work.Tokens + 1) > opened.Model.Context)
                    throw new UserErrorException(
                        $"--prompt {work.Prompt} and --tokens {work.Tokens} do not fit the model's context of {opened.Model.Context}: "
                            + "give less of them."
                    );
            using var model = opened.Model.Reader();
            Tell(parsed, json, works.SelectMany(work => new InferenceBenchmark(model, work).Run()));
            return 0;
        });
        return command;
    }

    private static List<InferenceWork> Works(ParseResult parsed, Option<int> rounds) =>
        [
            .. parsed
                .GetValue(Batch)!
                .Split(',')
                .Select(word =>
                    int.TryParse(word, CultureInfo.InvariantCulture, out int batch) && batch > 0
                        ? batch
                        : throw new UserErrorException(
                            $"--batch has '{word}', which is not a number of sequences: give 1 or more, as in 1,32."
                        )
                )
                .Select(batch => new InferenceWork(
                    batch,
                    BenchmarkCommand.AtLeastOne(parsed, Prompt, "tokens"),
                    BenchmarkCommand.AtLeastOne(parsed, Tokens, "tokens"),
                    BenchmarkCommand.AtLeastOne(parsed, Questions, "questions"),
                    BenchmarkCommand.AtLeastOne(parsed, rounds, "rounds")
                )),
        ];

    private static void Tell(ParseResult parsed, Option<bool> json, IEnumerable<InferenceMeasurement> measurements)
    {
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
        {
            output.WriteLine(BenchmarkCommand.AsJson(measurements));
            return;
        }
        output.WriteLine(BenchmarkCommand.Here());
        foreach (var measured in measurements)
            output.WriteLine(Line(measured));
    }

    private static string Line(InferenceMeasurement measured)
    {
        var (least, most) = (measured.Seconds.Min() * 1e3, measured.Seconds.Max() * 1e3);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{measured.Name,-12} batch {measured.Batch,4} {measured.Rate,10:F1} {measured.Unit}/s  "
                + $"({measured.Count} in {least:F0} to {most:F0} ms)"
        );
    }

    private static Option<int> Count(string name, string description, int value) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };
}
