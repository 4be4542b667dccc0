using System.CommandLine;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Files;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale evaluate</c>: what a model scores in exams, and how well it predicts plain text.</summary>
internal static class EvaluateCommand
{
    private static readonly Argument<string> Run = new("RUN")
    {
        Description = "Directory of a run, of one of its checkpoints, or of a Hugging Face model (Llama, InternLM2, InternLM).",
    };
    private static readonly Option<string> Tasks = new("--tasks")
    {
        Description = $"Comma-separated: {string.Join(", ", ExamFiles.Names.Order())}, needle, perplexity.",
        DefaultValueFactory = _ => "",
    };
    private static readonly Option<string[]> TaskFiles = new("--task-file")
    {
        Description = "A task of one's own: a YAML file (may be given again).",
        HelpName = "FILE",
        DefaultValueFactory = _ => [],
    };
    private static readonly Option<string> Data = new("--data")
    {
        Description = "Folder of the task's files, or one with a folder for each task.",
        DefaultValueFactory = _ => ".",
    };
    private static readonly Option<Variant> Rules = new("--variant")
    {
        Description = "By whose rules: original, harness (lm-evaluation-harness) or opencompass.",
        DefaultValueFactory = _ => Variant.Original,
    };
    private static readonly Option<Scoring?> Scored = new("--scoring")
    {
        Description = "How answers are found, where not as the variant does: letter, option, perplexity or written.",
    };
    private static readonly Option<int> AnswerTokens = new("--answer-tokens")
    {
        Description = "Tokens that the model may write for an answer; 0: as many as the task says.",
    };
    private static readonly Option<string?> Split = new("--split")
    {
        Description = "Questions to ask, e.g. val; default: test, or val where the test has no answers.",
    };
    private static readonly Option<int?> Shots = new("--shots")
    {
        Description = "Questions with answers in front; default: the variant's.",
    };
    private static readonly Option<int> Limit = new("--limit") { Description = "Questions of each subject, for trying; 0: all." };
    private static readonly Option<int> Ranks = new("--ranks")
    {
        Description = "Threads that read the model; the figures do not depend on it.",
        DefaultValueFactory = _ => 1,
    };
    private static readonly Option<string?> Out = new("--out")
    {
        Description = "Folder of results, samples and answers; default: evaluation in the run's folder.",
    };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the results file instead of the table." };

    public static Command Create()
    {
        var command = new Command(
            "evaluate",
            "Hold exams with the newest checkpoint of a run. What is answered is kept: an evaluation that was stopped goes on where it was."
        )
        {
            Run,
            Tasks,
            TaskFiles,
            Data,
            Rules,
            Scored,
            Split,
            Shots,
            Limit,
            AnswerTokens,
            Ranks,
            Out,
            Json,
        };
        command.Subcommands.Add(Compare());
        command.SetAction(parsed =>
        {
            string run = parsed.GetValue(Run)!,
                data = parsed.GetValue(Data)!;
            int ranks = parsed.GetValue(Ranks);
            if (ranks < 1)
                throw new UserErrorException($"--ranks is {ranks}; give 1 or more.");
            var options = new ExamOptions(parsed.GetValue(Rules), parsed.GetValue(Scored), parsed.GetValue(Shots), parsed.GetValue(Limit))
            {
                AnswerTokens = parsed.GetValue(AnswerTokens),
            };
            string[] tasks =
            [
                .. parsed.GetValue(Tasks)!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Distinct(),
            ];
            string[] files = parsed.GetValue(TaskFiles)!;
            if (tasks.Length + files.Length == 0)
                throw new UserErrorException("--tasks names no task, and there is no --task-file.");
            var exams = tasks
                .Where(task => task is not ("perplexity" or "needle"))
                .Select(task => ExamFiles.Read(task, data, parsed.GetValue(Split)))
                .ToList();
            var own = files.Select(TaskFile.Read).ToList();
            if (
                exams.Concat(own.Select(task => task.Exam)).GroupBy(exam => exam.Name).FirstOrDefault(group => group.Count() > 1) is
                { } twice
            )
                throw new UserErrorException($"Two tasks are called '{twice.Key}': give each a name of its own.");
            var documents = tasks.Contains("perplexity") ? Perplexity.ReadDocuments(Own("perplexity") ?? data) : null;
            var text = tasks.Contains("needle") && Own("needle") is { } place ? Perplexity.ReadDocuments(place) : null;
            using var opened = OpenedModel.Open(run);
            string folder = parsed.GetValue(Out) ?? Path.Combine(run, "evaluation");
            using var answers = new AnswerStore(Path.Combine(folder, "answers.tsv"));
            var needles = tasks.Contains("needle") ? Needles(opened, text, answers, ranks) : null;
            var readers = Enumerable.Range(0, ranks).Select(_ => opened.Model.Reader()).ToList();
            try
            {
                var runner = new ExamRunner(readers, opened.Tokenizer, opened.Digest, answers);
                List<ExamResult> results =
                [
                    .. exams.Select(exam => runner.Run(exam, options)),
                    .. own.Select(task => runner.Run(task.Exam, task.Rules, options)),
                ];
                var perplexity = documents is null ? null : Perplexity.Of(runner, opened.Tokenizer, opened.Model.Context, documents);
                Write(
                    parsed.InvocationConfiguration.Output,
                    folder,
                    new Evaluated(results, perplexity, needles),
                    run,
                    opened.Digest,
                    parsed.GetValue(Json)
                );
            }
            finally
            {
                readers.ForEach(reader => reader.Dispose());
            }
            return 0;

            string? Own(string task) => Directory.Exists(Path.Combine(data, task)) ? Path.Combine(data, task) : null;
        });
        return command;
    }

    /// <summary>The needle test over the whole context and three shorter lengths.</summary>
    private static NeedleReport Needles(OpenedModel opened, IReadOnlyList<string>? text, AnswerStore answers, int ranks)
    {
        int context = opened.Model.Context;
        var options = new NeedleOptions { Lengths = [context / 8, context / 4, context / 2, context] };
        var haystack = text is null ? Haystack.Filler(options.Seed, opened.Tokenizer) : Haystack.Of("needle", text, opened.Tokenizer);
        return new NeedleReport(
            haystack.Name,
            options,
            new NeedleTest(opened.Model, opened.Tokenizer, opened.Digest, answers, ranks).Run(haystack, options)
        );
    }

    private static Command Compare()
    {
        var files = new Argument<string[]>("RESULT")
        {
            Description = "Results files (results_….json), the first of which the others are held against.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("compare", "Hold results against each other: scores, differences and their standard errors.") { files };
        command.SetAction(parsed =>
        {
            foreach (string line in ResultComparison.Table(parsed.GetValue(files)!))
                parsed.InvocationConfiguration.Output.WriteLine(line);
            return 0;
        });
        return command;
    }

    private static void Write(TextWriter output, string folder, Evaluated evaluated, string run, string digest, bool json)
    {
        var now = DateTimeOffset.UtcNow;
        string date = now.ToString("yyyy-MM-ddTHH-mm-ss.ffffff", CultureInfo.InvariantCulture),
            results = ResultFiles.Results(evaluated, run, digest, now);
        string path = Path.Combine(folder, $"results_{date}.json");
        File.WriteAllText(path, results);
        foreach (var exam in evaluated.Exams)
            File.WriteAllLines(Path.Combine(folder, $"samples_{exam.Exam.Name}_{date}.jsonl"), ResultFiles.Samples(exam));
        evaluated.Needles?.WriteCsv(Path.Combine(folder, $"needle_{date}.csv"));
        if (json)
        {
            output.WriteLine(results);
            return;
        }
        foreach (string line in ResultFiles.Table(evaluated))
            output.WriteLine(line);
        output.WriteLine($"Results and samples are in {path}.");
    }
}
