using System.CommandLine;
using Uniscale.Cli.Corpora;
using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Corpus.Reading;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data import</c>: raw files of any form to documents of a store.</summary>
internal static class ImportCommand
{
    /// <summary>What shells give for a command that was interrupted.</summary>
    private const int Interrupted = 130;

    private const int PreviewedDocuments = 1000;

    private static readonly Argument<string[]> Raw = new("RAW")
    {
        Description =
            "Files, directories, and s3://bucket/prefix, as they were downloaded: plain, or gzip, zstd, bzip2, xz, lz4, tar, zip, 7z. What a file is, its content tells first.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> Domain = new("--domain")
    {
        Description = "Domain of the documents, e.g. books.",
        DefaultValueFactory = _ => "",
    };

    private static readonly Option<string> Store = new("--out")
    {
        Description = "Store to add them to: a directory.",
        DefaultValueFactory = _ => "",
    };

    private static readonly Option<string> Form = new("--form")
    {
        Description = $"What all files are: {FormReaders.Auto}, {string.Join(", ", FormReaders.Names)}.",
        DefaultValueFactory = _ => FormReaders.Auto,
    };

    private static readonly Option<string?> Text = new("--text")
    {
        Description =
            "Where the text of a record stands, e.g. text, meta.body, messages[].content; by default the first of text, content, raw_content, markdown.",
    };

    private static readonly Option<string?> Template = new("--template")
    {
        Description = "How lists of chat messages become text: chatml, plain.",
    };

    private static readonly Option<string> Keep = new("--keep")
    {
        Description = "Fields that are kept beside the text.",
        DefaultValueFactory = _ => "id,url,language,date,score",
    };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description =
            $"Say what each file is, its first documents, and what of its first {PreviewedDocuments} would be left out; write nothing.",
    };

    private static readonly Option<bool> Strict = new("--strict")
    {
        Description = "End at the first damaged file; without it, it is left out and named.",
    };

    private static readonly Option<bool> Partial = new("--keep-partial")
    {
        Description = "Keep the documents of a damaged file that come before the damage.",
    };

    private static readonly Option<bool> Again = new("--again") { Description = "Import files once more that the domain has already." };

    private static readonly Option<int> Workers = new("--workers")
    {
        Description = "Files read at once; the store is the same for any number.",
        DefaultValueFactory = _ => Environment.ProcessorCount,
    };

    public static Command Create()
    {
        var command = new Command("import", "Add raw files to a store of documents.")
        {
            Raw,
            Domain,
            Store,
            Form,
            Text,
            Template,
            Keep,
            DryRun,
            Strict,
            Partial,
            Again,
            Workers,
        };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                using var raw = new RawStores(parsed.GetValue(Raw)!);
                try
                {
                    return parsed.GetValue(DryRun) ? Look(parsed, raw) : await RunAsync(parsed, raw, cancellation);
                }
                catch (RawStoreException problem)
                {
                    string after = parsed.GetValue(DryRun)
                        ? "Nothing was imported: look again."
                        : "What was imported until now is in the store, and the same command goes on behind it.";
                    throw new UserErrorException($"{problem.Message.TrimEnd('.')}. {after}", problem);
                }
            }
        );
        return command;
    }

    private static ImportOptions OptionsOf(ParseResult parsed, IReadOnlyList<IRawStore> stores, Action<long, long>? progress = null) =>
        new()
        {
            Stores = stores,
            Reading = new ReadingOptions
            {
                Form = parsed.GetValue(Form)!,
                Text = parsed.GetValue(Text),
                Template = parsed.GetValue(Template),
                Keep = parsed.GetValue(Keep)!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            },
            Strict = parsed.GetValue(Strict),
            KeepPartial = parsed.GetValue(Partial),
            Again = parsed.GetValue(Again),
            Workers = parsed.GetValue(Workers),
            Progress = progress,
        };

    private static async Task<int> RunAsync(ParseResult parsed, RawStores raw, CancellationToken cancellation)
    {
        var console = parsed.InvocationConfiguration.Output;
        string domain = Required(parsed, Domain, "books"),
            store = Required(parsed, Store, "data/store");
        var importer = new Importer(store, domain, OptionsOf(parsed, raw.Stores, new CorpusProgress(console).Tell));
        ImportReport report;
        try
        {
            report = await importer.RunAsync(raw.Paths, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            console.WriteLine($"{domain}: stopped; what was imported until now is in the store, and the same command goes on behind it.");
            return Interrupted;
        }
        if (report.Documents == 0 && report.Damaged.Count > 0)
            throw new UserErrorException(report.Damaged.First());
        if (report.Documents == 0 && !report.LeftOut.ContainsKey("imported before"))
            throw new UserErrorException($"{string.Join(", ", parsed.GetValue(Raw)!)} holds no documents{LeftOut(report.LeftOut)}.");
        console.WriteLine(
            $"{domain}: {report.Documents} documents, {report.Bytes / 1e6:0.0} MB of text from {report.Files} files{(report.Forms.Count > 0 ? $" ({Counts(report.Forms)})" : "")}"
                + (report.Repaired > 0 ? $"; {report.Repaired} files were not UTF-8 and were repaired" : "")
                + (report.Cut > 0 ? $"; {report.Cut} documents were too long for a store and became several" : "")
                + LeftOut(report.LeftOut)
        );
        foreach (string sentence in report.Damaged)
            console.WriteLine($"  damaged: {sentence}");
        console.WriteLine($"  what each file was taken for, and what it gave: {Path.Combine(store, domain, "imported.tsv")}");
        return 0;
    }

    private static int Look(ParseResult parsed, RawStores raw)
    {
        var console = parsed.InvocationConfiguration.Output;
        foreach (var file in new Importer("", "", OptionsOf(parsed, raw.Stores)).Look(raw.Paths, PreviewedDocuments))
        {
            console.WriteLine(
                $"{file.Path}: {file.Form}, {file.Documents}{(file.IsWhole ? "" : " or more")} documents{LeftOut(file.LeftOut)}"
            );
            foreach (string first in file.First)
                console.WriteLine($"  {first}");
            if (file.Damage is { } damage)
                console.WriteLine($"  would be left out: {damage}");
        }
        return 0;
    }

    private static string Required(ParseResult parsed, Option<string> option, string example) =>
        parsed.GetValue(option) is { Length: > 0 } value
            ? value
            : throw new UserErrorException(
                $"{option.Name} is missing: give it, for example {option.Name} {example}, or --dry-run to look at the files alone."
            );

    private static string LeftOut(IReadOnlyDictionary<string, long> left) => left.Count == 0 ? "" : $"; left out: {Counts(left)}";

    private static string Counts(IReadOnlyDictionary<string, long> counts) =>
        string.Join(", ", counts.Select(entry => $"{entry.Value} {entry.Key}"));
}
