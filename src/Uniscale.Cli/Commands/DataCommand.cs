using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data</c>: from raw files to documents to shards, and a look at each.</summary>
internal static class DataCommand
{
    public static Command Create() => new("data", "Turn raw files into documents and documents into token shards; inspect and verify shards.")
    {
        Import(), CleanCommand.Create(), Tokenize(), ShardCommands.Inspect(), ShardCommands.Verify(), ShardCommands.Show(),
    };

    private static Command Import()
    {
        var raw = new Argument<string[]>("RAW") { Description = "Files and directories: text, HTML, XML documentation, manual pages, source code, JSON lines and arrays; plain, gzip or Zstandard; Parquet (its column text). What a file is, its content tells first.", Arity = ArgumentArity.OneOrMore };
        var domain = new Option<string>("--domain") { Description = "Domain of the documents, e.g. books.", Required = true };
        var store = new Option<string>("--out") { Description = "Store to add them to: a directory.", Required = true };
        var strict = new Option<bool>("--strict") { Description = "End at the first damaged file; without it, it is left out and named." };
        var partial = new Option<bool>("--keep-partial") { Description = "Keep the documents of a damaged file that come before the damage." };
        var again = new Option<bool>("--again") { Description = "Import files once more that the domain has already." };
        var command = new Command("import", "Add raw files to a store of documents.") { raw, domain, store, strict, partial, again };
        command.SetAction(parsed =>
        {
            using var writer = new DocumentStoreWriter(parsed.GetValue(store)!, parsed.GetValue(domain)!);
            var importer = new Importer(writer, new ImportOptions { Strict = parsed.GetValue(strict), KeepPartial = parsed.GetValue(partial), Again = parsed.GetValue(again) });
            importer.Import(parsed.GetValue(raw)!);
            ImportReport report = importer.Report;
            if (report.Documents == 0 && report.Damaged.Count > 0)
                throw new UserErrorException(report.Damaged[0]);
            if (report.Documents == 0 && !report.LeftOut.ContainsKey("imported before"))
                throw new UserErrorException($"{string.Join(", ", parsed.GetValue(raw)!)} holds no documents{LeftOut(report)}.");
            writer.Complete();
            parsed.InvocationConfiguration.Output.WriteLine(
                $"{parsed.GetValue(domain)}: {report.Documents} documents, {report.Bytes / 1e6:0.0} MB of text from {report.Files} files" +
                (report.Repaired > 0 ? $"; {report.Repaired} files were not UTF-8 and were repaired" : "") +
                (report.Cut > 0 ? $"; {report.Cut} documents were too long for a store and became several" : "") + LeftOut(report));
            foreach (string sentence in report.Damaged)
                parsed.InvocationConfiguration.Output.WriteLine($"  damaged: {sentence}");
            return 0;
        });
        return command;
    }

    private static string LeftOut(ImportReport report) =>
        report.LeftOut.Count == 0 ? "" : $"; left out: {string.Join(", ", report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}"))}";

    private static Command Tokenize()
    {
        var inputs = new Argument<string[]>("DOCUMENTS") { Description = "A store, or .txt (one document each) and .jsonl files (.gz, .zst).", Arity = ArgumentArity.OneOrMore };
        var model = new Option<string>("--tokenizer") { Description = "SentencePiece model file.", Required = true };
        var output = new Option<string>("--out") { Description = "Directory for the shards: DOMAIN.train.{bin,idx} and DOMAIN.validation.{bin,idx}.", Required = true };
        var workers = new Option<int>("--workers") { Description = "Threads that encode; the shards are the same for any number.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var validation = new Option<double>("--validation") { Description = "Share of documents set aside for validation, chosen by their text.", DefaultValueFactory = _ => 0 };
        var domain = new Option<string>("--domain") { Description = "Domain of documents that come from no store.", DefaultValueFactory = _ => "text" };
        var command = new Command("tokenize", "Turn documents into token shards that Megatron reads too.") { inputs, model, output, workers, validation, domain };
        command.SetAction(async (parsed, cancellation) =>
        {
            using Tokenizer tokenizer = Tokenizer.Load(parsed.GetValue(model)!);
            var shards = new ShardTokenizer(tokenizer, parsed.GetValue(workers), parsed.GetValue(validation));
            string directory = parsed.GetValue(output)!;
            TextWriter console = parsed.InvocationConfiguration.Output;
            console.WriteLine($"{"domain",-16}{"documents",12}{"tokens",14}{"validation",14}{"bytes/token",13}{"MB/s",8}");
            var made = new HashSet<string>(StringComparer.Ordinal);
            foreach ((string name, IReadOnlyList<string> files) in DocumentStore.Resolve(parsed.GetValue(inputs)!, parsed.GetValue(domain)!))
            {
                string prefix = Path.Combine(directory, name);
                var record = new TokenizationRecord(prefix, tokenizer, parsed.GetValue(validation), files);
                TokenizationReport? before = record.Find();
                TokenizationReport report = before ?? await shards.RunAsync(DocumentReader.ReadAll(files, tokenizer), prefix, cancellation);
                if (before is null)
                    record.Write(report, shards.Digests);
                long tokens = report.Tokens + report.ValidationTokens;
                console.WriteLine($"{name,-16}{report.Documents,12}{report.Tokens,14}{report.ValidationTokens,14}{report.Bytes / (double)tokens,13:0.00}" +
                    (before is null ? $"{report.Bytes / 1e6 / report.Elapsed.TotalSeconds,8:0.0}" : "  done before"));
                if (report.EmptyDocuments > 0)
                    console.WriteLine($"  {report.EmptyDocuments} documents have no text and were left out");
                if (report.SpaceMarks > 0)
                    console.WriteLine($"  U+2581 (▁) stands in {report.SpaceMarks} places of text: SentencePiece writes it for a space and gives it back as one");
                made.Add(prefix);
            }
            SayWhatElseIsThere(directory, made, console);
            return 0;
        });
        return command;
    }

    /// <summary>A pattern such as tokens/*.train would train on shards of other documents, of a domain that is no more perhaps.</summary>
    private static void SayWhatElseIsThere(string directory, HashSet<string> made, TextWriter console)
    {
        string[] others = [.. Directory.GetFiles(directory, "*.train.idx").Select(path => path[..^".train.idx".Length]).Where(prefix => !made.Contains(prefix)).Order(StringComparer.Ordinal)];
        if (others.Length > 0)
            console.WriteLine($"  {directory} also holds shards of other documents: {string.Join(", ", others.Select(Path.GetFileName))}");
    }
}
