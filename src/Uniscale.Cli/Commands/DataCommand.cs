using System.CommandLine;
using Uniscale.Corpus;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data</c>: from raw files to documents to shards, and a look at each.</summary>
internal static class DataCommand
{
    public static Command Create() =>
        new("data", "Turn raw files into documents and documents into token shards; inspect and verify shards.")
        {
            ImportCommand.Create(),
            CleanCommand.Create(),
            Tokenize(),
            ChatCommand.Create(),
            NeedleDataCommand.Create(),
            ShardCommands.Inspect(),
            ShardCommands.Verify(),
            ShardCommands.Show(),
        };

    private static Command Tokenize()
    {
        var inputs = new Argument<string[]>("DOCUMENTS")
        {
            Description = "A store, or .txt (one document each) and .jsonl files (compressed by gzip, zstd, bzip2, xz or lz4).",
            Arity = ArgumentArity.OneOrMore,
        };
        var model = new Option<string>("--tokenizer")
        {
            Description = "A SentencePiece model, or a tokenizer.json of byte-level BPE.",
            Required = true,
        };
        var output = new Option<string>("--out")
        {
            Description = "Directory for the shards: DOMAIN.train.{bin,idx} and DOMAIN.validation.{bin,idx}.",
            Required = true,
        };
        var workers = new Option<int>("--workers")
        {
            Description = "Threads that encode; the shards are the same for any number.",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var validation = new Option<double>("--validation")
        {
            Description = "Share of documents set aside for validation, chosen by their text.",
            DefaultValueFactory = _ => 0,
        };
        var domain = new Option<string>("--domain")
        {
            Description = "Domain of documents that come from no store.",
            DefaultValueFactory = _ => "text",
        };
        var command = new Command("tokenize", "Turn documents into token shards that Megatron reads too.")
        {
            inputs,
            model,
            output,
            workers,
            validation,
            domain,
        };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                using var tokenizer = Tokenizer.Load(parsed.GetValue(model)!);
                var shards = new ShardTokenizer(tokenizer, parsed.GetValue(workers), parsed.GetValue(validation));
                string directory = parsed.GetValue(output)!;
                var console = parsed.InvocationConfiguration.Output;
                console.WriteLine($"{"domain",-16}{"documents",12}{"tokens",14}{"validation",14}{"bytes/token",13}{"MB/s",8}");
                var made = new HashSet<string>(StringComparer.Ordinal);
                foreach ((string name, var files) in DocumentStore.Resolve(parsed.GetValue(inputs)!, parsed.GetValue(domain)!))
                {
                    string prefix = Path.Combine(directory, name);
                    using var own = WorkLock.Of(prefix);
                    var record = new TokenizationRecord(prefix, tokenizer, parsed.GetValue(validation), files);
                    var before = record.Find();
                    var report =
                        before
                        ?? await shards.RunAsync(
                            DocumentReader.ReadAll(new CorpusProgress(console).Watch(files), tokenizer),
                            prefix,
                            cancellation
                        );
                    if (before is null)
                        record.Write(report, shards.Digests);
                    long tokens = report.Tokens + report.ValidationTokens;
                    console.WriteLine(
                        $"{name,-16}{report.Documents,12}{report.Tokens,14}{report.ValidationTokens,14}{report.Bytes / (double)tokens,13:0.00}"
                            + (before is null ? $"{report.Bytes / 1e6 / report.Elapsed.TotalSeconds,8:0.0}" : "  done before")
                    );
                    if (report.EmptyDocuments > 0)
                        console.WriteLine($"  {report.EmptyDocuments} documents have no text and were left out");
                    if (report.SpaceMarks > 0)
                        console.WriteLine(
                            $"  U+2581 (▁) stands in {report.SpaceMarks} places of text: SentencePiece writes it for a space and gives it back as one"
                        );
                    made.Add(prefix);
                }
                SayWhatElseIsThere(directory, made, console);
                return 0;
            }
        );
        return command;
    }

    /// <summary>A pattern such as tokens/*.train would train on shards of other documents, of a domain that is no more perhaps.</summary>
    private static void SayWhatElseIsThere(string directory, HashSet<string> made, TextWriter console)
    {
        string[] others =
        [
            .. Directory
                .GetFiles(directory, "*.train.idx")
                .Select(path => path[..^".train.idx".Length])
                .Where(prefix => !made.Contains(prefix))
                .Order(StringComparer.Ordinal),
        ];
        if (others.Length > 0)
            console.WriteLine($"  {directory} also holds shards of other documents: {string.Join(", ", others.Select(Path.GetFileName))}");
    }
}
