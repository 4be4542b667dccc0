using System.CommandLine;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale needle</c>: whether a model finds a sentence in long texts.</summary>
internal static class NeedleCommand
{
    private static readonly NeedleOptions Defaults = new() { Lengths = [] };

    private static readonly Argument<string> Run = new("RUN")
    {
        Description = "Directory of a run, of one of its checkpoints, or of a Hugging Face model (Llama, InternLM2, InternLM).",
    };
    private static readonly Option<string> Lengths = new("--lengths")
    {
        Description = "Tokens of prompt and answer: 1k,4k,32k, or 1k..200k (doubled from the first up to the last); 1k is 1,000.",
        Required = true,
    };
    private static readonly Option<int> Depths = new("--depths")
    {
        Description = "Places of the needle, evenly from the begin of the text to its end.",
        DefaultValueFactory = _ => Defaults.Depths,
    };
    private static readonly Option<int> Repeats = new("--repeats")
    {
        Description = "Cells of each length and depth, each with another order of documents and another key.",
        DefaultValueFactory = _ => Defaults.Repeats,
    };
    private static readonly Option<long> Seed = new("--seed")
    {
        Description = "The same seed hides the same keys in the same texts.",
        DefaultValueFactory = _ => Defaults.Seed,
    };
    private static readonly Option<string?> Data = new("--data")
    {
        Description = "Text to hide needles in: a file, or a folder of .txt, .md and .jsonl files; default: made sentences.",
    };
    private static readonly Option<string[]> Shards = new("--shards")
    {
        Description = "Shards to take the text from, instead of --data (may be given again).",
        DefaultValueFactory = _ => [],
    };
    private static readonly Option<string> Needle = new("--needle")
    {
        Description = "The sentence that is hidden; {key} stands for the key.",
        DefaultValueFactory = _ => Defaults.Needle,
    };
    private static readonly Option<string> Question = new("--question")
    {
        Description = "What stands behind the text, up to the place of the key.",
        DefaultValueFactory = _ => Defaults.Question,
    };
    private static readonly Option<int> Tokens = new("--tokens")
    {
        Description = "Tokens that the model may answer with; they are part of the length.",
        DefaultValueFactory = _ => Defaults.AnswerTokens,
    };
    private static readonly Option<string?> Scaling = new("--rope-scaling")
    {
        Description =
            "Stretch the rotary angles for texts that are longer than the model's context: linear, ntk-aware, dynamic, yarn or llama3.",
    };
    private static readonly Option<double?> Factor = new("--rope-factor")
    {
        Description = "Stretch factor; default: what each length needs, and 2 with dynamic.",
    };
    private static readonly Option<bool> LogN = new("--log-n")
    {
        Description = "Scale queries beyond the model's context by the logarithm of their position, with or without a stretching.",
    };
    private static readonly Option<int> Ranks = new("--ranks")
    {
        Description = "Threads that read the model; the figures do not depend on it.",
        DefaultValueFactory = _ => 1,
    };
    private static readonly Option<string?> Out = new("--out")
    {
        Description = "Folder of the table and the answers; default: evaluation in the run's folder.",
    };
    private static readonly Option<string?> Plot = new("--plot")
    {
        Description = "Draw a heat map: a file .png or .svg.",
        HelpName = "FILE",
    };

    public static Command Create()
    {
        var command = new Command(
            "needle",
            "Hide a random key in long texts and ask a model for it. What is answered is kept: a test that was stopped goes on where it was."
        )
        {
            Run,
            Lengths,
            Depths,
            Repeats,
            Seed,
            Data,
            Shards,
            Needle,
            Question,
            Tokens,
            Scaling,
            Factor,
            LogN,
            Ranks,
            Out,
            Plot,
        };
        command.SetAction(parsed =>
        {
            string run = parsed.GetValue(Run)!;
            int ranks = parsed.GetValue(Ranks);
            if (ranks < 1)
                throw new UserErrorException($"--ranks is {ranks}; give 1 or more.");
            var options = OptionsOf(parsed);
            options.Check();
            string? data = parsed.GetValue(Data),
                plot = parsed.GetValue(Plot);
            string[] shards = parsed.GetValue(Shards)!;
            if (data is not null && shards.Length > 0)
                throw new UserErrorException("Both --data and --shards are given: give one of them.");
            if (plot is not null)
                NeedlePicture.CheckName(plot);
            var documents = data is null ? null : Perplexity.ReadDocuments(data);
            using var opened = OpenedModel.Open(run);
            var haystack =
                documents is not null ? Haystack.Of(data!, documents, opened.Tokenizer)
                : shards.Length > 0 ? Haystack.OfShards(shards, options.Lengths.Max(), opened.Tokenizer)
                : Haystack.Filler(options.Seed, opened.Tokenizer);
            string folder = parsed.GetValue(Out) ?? Path.Combine(run, ResultFolder.Name);
            using var answers = new AnswerStore(Path.Combine(folder, "answers.tsv"));
            var report = new NeedleReport(
                haystack.Name,
                options,
                NeedleTest.Of(opened.Model, opened.Tokenizer, opened.Digest, answers, ranks).Run(haystack, options)
            );
            Write(parsed.InvocationConfiguration.Output, report, folder);
            if (plot is not null)
                Draw(parsed.InvocationConfiguration.Output, report, run, plot);
        });
        return command;
    }

    private static NeedleOptions OptionsOf(ParseResult parsed) =>
        new()
        {
            Lengths = NeedleOptions.ParseLengths(parsed.GetValue(Lengths)!),
            Depths = parsed.GetValue(Depths),
            Repeats = parsed.GetValue(Repeats),
            Seed = parsed.GetValue(Seed),
            Needle = parsed.GetValue(Needle)!,
            Question = parsed.GetValue(Question)!,
            AnswerTokens = parsed.GetValue(Tokens),
            Scaling = parsed.GetValue(Scaling) is { } kind ? NeedleOptions.ParseScaling(kind) : null,
            Factor = parsed.GetValue(Factor),
            LogN = parsed.GetValue(LogN),
        };

    /// <summary>Prints the table, and writes it as CSV.</summary>
    internal static void Write(TextWriter output, NeedleReport report, string folder)
    {
        string path = Path.Combine(
            folder,
            $"needle_{DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH-mm-ss.ffffff", CultureInfo.InvariantCulture)}.csv"
        );
        report.WriteCsv(path);
        foreach (string line in report.Table())
            output.WriteLine(line);
        output.WriteLine($"All cells are in {path}.");
    }

    private static void Draw(TextWriter output, NeedleReport report, string run, string plot)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(plot)) is { } folder)
            Directory.CreateDirectory(folder);
        NeedlePicture.Write(
            report,
            $"Needles found: {Path.GetFileName(Path.TrimEndingDirectorySeparator(run))}, text: {Path.GetFileName(report.Haystack)}",
            plot
        );
        output.WriteLine($"The heat map is in {plot}.");
    }
}
