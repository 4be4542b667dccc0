namespace Uniscale.Corpus;

/// <summary>What an import did; every file that was looked at is counted under one of the reasons.</summary>
public sealed class ImportReport
{
    private readonly SortedDictionary<string, long> _left = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> _forms = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _damaged = new(StringComparer.Ordinal);

    /// <summary>Files that gave documents.</summary>
    public long Files { get; private set; }

    /// <summary>Documents that were stored.</summary>
    public long Documents { get; private set; }

    /// <summary>Bytes of text.</summary>
    public long Bytes { get; private set; }

    /// <summary>Files that were not UTF-8, or had half a surrogate pair, and were made so.</summary>
    public long Repaired { get; private set; }

    /// <summary>Documents too long for a line of a store, which became several.</summary>
    public long Cut { get; private set; }

    /// <summary>Files that were left out, or kept in part, because they are damaged, each with the reason.</summary>
    public IReadOnlyCollection<string> Damaged => _damaged;

    /// <summary>Files left out, and documents without text, by reason.</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _left;

    /// <summary>What files were taken for, without what is within archives.</summary>
    public IReadOnlyDictionary<string, long> Forms => _forms;

    internal void Leave(string reason, long count = 1) => _left[reason] = _left.GetValueOrDefault(reason) + count;

    /// <summary>A file that is damaged.</summary>
    internal void AddDamaged(string sentence, bool inPart)
    {
        _damaged.Add(sentence);
        Leave(inPart ? "damaged, kept in part" : "damaged");
    }

    /// <summary>A file that was read to its end.</summary>
    internal void Add(FileTally file)
    {
        Files += file.Documents > 0 ? 1 : 0;
        Documents += file.Documents;
        Bytes += file.Bytes;
        Repaired += file.IsRepaired ? 1 : 0;
        Cut += file.Cut;
        string form = file.Form.Split(':')[0];
        _forms[form] = _forms.GetValueOrDefault(form) + 1;
        foreach ((string reason, long count) in file.LeftOut)
            Leave(reason, count);
        foreach (string entry in file.DamagedEntries)
            _damaged.Add($"{file.File.Path}: {entry} was left out.");
    }
}

/// <summary>What one raw file gave.</summary>
internal sealed class FileTally(RawFile file)
{
    private readonly SortedDictionary<string, long> _left = new(StringComparer.Ordinal);

    public RawFile File => file;

    public string Recognised { get; set; } = "";

    public string Form => Recognised.Length > 0 ? Recognised : "unknown";

    public long Documents { get; set; }

    public long Bytes { get; set; }

    public bool IsRepaired { get; set; }

    public long Cut { get; set; }

    public IReadOnlyList<string> DamagedEntries { get; set; } = [];

    /// <summary>Why the file gave nothing, or not all; null where it is whole.</summary>
    public string? Damage { get; set; }

    public IReadOnlyDictionary<string, long> LeftOut => _left;

    public void Leave(string reason) => _left[reason] = _left.GetValueOrDefault(reason) + 1;

    /// <summary>The file as it stands in the domain's record.</summary>
    public ImportedFile ToImported(int unit, int parts)
    {
        string left = string.Join(
            ", ",
            LeftOut.Select(entry => $"{entry.Value} {entry.Key}").Concat(DamagedEntries.Select(entry => $"left out {entry}"))
        );
        string note = Damage is null
            ? left
            : string.Join(
                "; ",
                ((string[])[(Documents > 0 ? "in part, damaged: " : "damaged: ") + Damage, left]).Where(text => text.Length > 0)
            );
        return new ImportedFile(
            file.Fingerprint,
            unit,
            parts,
            Form,
            Documents,
            Bytes,
            file.Name,
            note
        );
    }
}
