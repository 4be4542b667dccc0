using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>A raw file in a domain: what it was taken for, and what it gave.</summary>
/// <param name="Fingerprint">Digest of its bytes.</param>
/// <param name="Unit">Number of the files of the store that hold its documents.</param>
/// <param name="Parts">How many these files are.</param>
/// <param name="Form">What it was taken for.</param>
/// <param name="Documents">Documents that it gave.</param>
/// <param name="Bytes">Bytes of their text.</param>
/// <param name="Name">Its name.</param>
/// <param name="Note">What was left out of it, and why; begins with "damaged" where it gave nothing for that.</param>
internal sealed record ImportedFile(
    UInt128 Fingerprint,
    int Unit,
    int Parts,
    string Form,
    long Documents,
    long Bytes,
    string Name,
    string Note
)
{
    public const string Header = "fingerprint\tunit\tparts\tform\tdocuments\tbytes\tname\tnote";

    /// <summary>A file that is damaged is looked at again by the next import.</summary>
    public bool IsDamaged => Note.StartsWith("damaged", StringComparison.Ordinal);

    public string ToLine() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Fingerprint:x32}\t{Unit}\t{Parts}\t{Form}\t{Documents}\t{Bytes}\t{Plain(Name)}\t{Plain(Note)}"
        );

    public static ImportedFile? Parse(string line)
    {
        string[] cells = line.Split('\t');
        return
            cells.Length == 8
            && UInt128.TryParse(cells[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var fingerprint)
            && int.TryParse(cells[1], NumberStyles.None, CultureInfo.InvariantCulture, out int unit)
            && int.TryParse(cells[2], NumberStyles.None, CultureInfo.InvariantCulture, out int parts)
            && long.TryParse(cells[4], NumberStyles.None, CultureInfo.InvariantCulture, out long documents)
            && long.TryParse(cells[5], NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)
            ? new ImportedFile(fingerprint, unit, parts, cells[3], documents, bytes, cells[6], cells[7])
            : null;
    }

    private static string Plain(string cell) => cell.Replace('\t', ' ').ReplaceLineEndings(" ");
}

/// <summary>
/// A domain's folder while it is written: one import at a time has it; names of files are never used again; imported.tsv says of each raw
/// file what it was taken for, what it gave and which
/// files of the store hold it.
/// </summary>
internal sealed class DomainFolder : IDisposable
{
    public const string ReportName = "imported.tsv";

    private readonly string _directory;
    private readonly WorkLock _lock;
    private readonly Dictionary<UInt128, ImportedFile> _imported = [];
    private readonly Lock _gate = new();

    /// <exception cref="UserErrorException">The name is no domain, or another import into it is under way.</exception>
    public DomainFolder(string store, string domain)
    {
        CheckName(domain);
        _directory = Path.Combine(store, domain);
        _lock = new WorkLock(Path.Combine(_directory, ".lock"), $"Another import into {_directory}", "use another domain");
        RemoveUnfinished(); // of an import that was killed; nobody else has the domain now
        if (File.Exists(ReportPath))
            foreach (var file in File.ReadLines(ReportPath).Select(ImportedFile.Parse).OfType<ImportedFile>())
                _imported[file.Fingerprint] = file;
    }

    /// <summary>Where readers put what they cannot hold in memory.</summary>
    public string WorkFolder => Path.Combine(_directory, ".work");

    /// <summary>Refuses what cannot name a domain's files.</summary>
    /// <exception cref="UserErrorException">The name is no domain.</exception>
    public static void CheckName(string domain)
    {
        if (!IsName(domain))
            throw new UserErrorException($"'{domain}' cannot be a domain; use letters, digits, - and _.");
    }

    /// <summary>Whether a text can name a domain.</summary>
    public static bool IsName(string domain) =>
        domain.Length > 0 && !domain.AsSpan().ContainsAny(Path.GetInvalidFileNameChars()) && !domain.StartsWith('.');

    /// <summary>The first number that no file of the domain has had.</summary>
    public int NextUnit =>
        Math.Max(
            _imported.Values.Select(file => file.Unit).DefaultIfEmpty(-1).Max(),
            Directory
                .GetFiles(_directory, "*.jsonl.zst")
                .Select(path =>
                    int.TryParse(Path.GetFileName(path).Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                        ? number
                        : -1
                )
                .DefaultIfEmpty(-1)
                .Max()
        ) + 1;

    private string ReportPath => Path.Combine(_directory, ReportName);

    private string PlanPath => Path.Combine(_directory, ".importing");

    /// <summary>What is known of a raw file whose documents are all there; null where it is to be imported.</summary>
    public ImportedFile? Find(UInt128 fingerprint) =>
        _imported.TryGetValue(fingerprint, out var file)
        && Enumerable.Range(0, file.Parts).All(part => File.Exists(PathOf(file.Unit, part, file.Parts)))
            ? file
            : null;

    /// <summary>The import that did not come to its end: its first number and the digest of its plan.</summary>
    public (int First, string Digest)? Interrupted =>
        File.Exists(PlanPath)
        && File.ReadAllText(PlanPath).Split(' ') is [var first, var digest]
        && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? (number, digest)
            : null;

    /// <summary>Notes what is to be imported, so that the same import goes on after a stop where it was.</summary>
    public void Begin(int first, string digest) =>
        File.WriteAllText(PlanPath, string.Create(CultureInfo.InvariantCulture, $"{first} {digest}"));

    /// <summary>The import came to its end.</summary>
    public void End()
    {
        File.Delete(PlanPath);
        string sorted = ReportPath + ".unfinished";
        File.WriteAllLines(
            sorted,
            [
                ImportedFile.Header,
                .. _imported
                    .Values.OrderBy(file => file.Unit)
                    .ThenBy(file => file.Name, StringComparer.Ordinal)
                    .Select(file => file.ToLine()),
            ]
        );
        File.Move(sorted, ReportPath, overwrite: true);
    }

    /// <summary>A file of the store, to be written.</summary>
    public DocumentFileWriter Open(int unit, int part) => new(PathOf(unit, part, int.MaxValue));

    /// <summary>Takes files of the store in, with what they hold.</summary>
    public void Commit(IReadOnlyList<DocumentFileWriter> parts, IReadOnlyList<ImportedFile> files)
    {
        lock (_gate)
        {
            // The record first: a number that it holds is not given again, and a file that is missing makes it void.
            File.AppendAllLines(ReportPath, files.Select(file => file.ToLine()));
            for (int part = 0; part < parts.Count; part++)
                parts[part].Complete(PathOf(files[0].Unit, part, parts.Count));
            foreach (var file in files)
                _imported[file.Fingerprint] = file;
        }
    }

    public void Dispose()
    {
        RemoveUnfinished();
        _lock.Dispose();
    }

    private void RemoveUnfinished()
    {
        foreach (string left in Directory.GetFiles(_directory, "*.unfinished"))
            File.Delete(left);
        if (Directory.Exists(WorkFolder))
            Directory.Delete(WorkFolder, recursive: true);
    }

    private string PathOf(int unit, int part, int parts) => Path.Combine(_directory, DocumentStore.PartName(unit, part, parts));
}
