using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>What an import did; every file that was looked at is counted under one of the reasons.</summary>
public sealed class ImportReport
{
    private readonly SortedDictionary<string, long> _left = new(StringComparer.Ordinal);
    private readonly List<string> _damaged = [];

    /// <summary>Files that gave documents.</summary>
    public long Files { get; internal set; }

    public long Documents { get; internal set; }

    /// <summary>Bytes of text.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Files that were not UTF-8, or had half a surrogate pair, and were made so.</summary>
    public long Repaired { get; internal set; }

    /// <summary>Documents too long for a line of a store, which became several.</summary>
    public long Cut { get; internal set; }

    /// <summary>Files that were left out, or kept in part, because they are damaged, each with the reason.</summary>
    public IReadOnlyList<string> Damaged => _damaged;

    /// <summary>Files left out, and rows without text, by reason.</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _left;

    internal void LeaveDamaged(string sentence, bool inPart)
    {
        _damaged.Add(sentence);
        Leave(inPart ? "damaged, kept in part" : "damaged");
    }

    internal void Leave(string reason) => _left[reason] = _left.GetValueOrDefault(reason) + 1;
}

/// <summary>What to do with what is not as it should be.</summary>
public sealed record ImportOptions
{
    /// <summary>The first damaged file ends the import.</summary>
    public bool Strict { get; init; }

    /// <summary>Of a damaged file, the documents before the damage are kept.</summary>
    public bool KeepPartial { get; init; }

    /// <summary>Files that the domain has already are imported once more.</summary>
    public bool Again { get; init; }
}

/// <summary>
/// Turns raw files and trees into documents of a store: text, HTML and XML documentation, manual pages, source code, JSON lines and arrays, Parquet; plain or compressed.
/// What a file is, its content tells first. A file is in the store whole or not at all.
/// </summary>
public sealed class Importer(DocumentStoreWriter store, ImportOptions? options = null)
{
    private const int SniffedBytes = 8192;
    private const int MaxFileBytes = DocumentReader.MaxLineBytes;

    /// <summary>Any text of so many characters fits a line of a store, however many of them are escaped.</summary>
    private const int MaxCharacters = DocumentReader.MaxLineBytes / 7;

    private readonly ImportOptions _options = options ?? new ImportOptions();

    private static readonly HashSet<string> Markup = new(StringComparer.OrdinalIgnoreCase) { ".html", ".htm", ".xhtml", ".xhp", ".page", ".docbook", ".dbk", ".xml" };

    private static readonly HashSet<string> Binary = new(StringComparer.OrdinalIgnoreCase)
    {
        ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".pdf", ".ps", ".epub", ".woff", ".woff2", ".ttf", ".otf", ".css", ".map", ".so", ".o", ".a",
        ".pyc", ".mo", ".dat", ".bin", ".exe", ".zip", ".tar", ".xz", ".bz2", ".7z", ".jar", ".class", ".mp3", ".mp4", ".ogg", ".wav", ".index",
    };

    private readonly byte[] _sniffed = new byte[SniffedBytes];
    private readonly byte[] _block = new byte[1 << 18];
    private int _held; // bytes of the whole file in the block; -1: it is larger

    public ImportReport Report { get; } = new();

    /// <summary>Imports files and whole directories, in the order of their names.</summary>
    /// <exception cref="UserErrorException">A path does not exist.</exception>
    public void Import(IEnumerable<string> paths)
    {
        foreach (string path in paths)
        {
            if (Directory.Exists(path))
                ImportTree(path);
            else if (File.Exists(path))
                ImportFile(path, Path.GetFileName(path));
            else
                throw new UserErrorException($"{path} does not exist; give the files or directories to import.");
        }
    }

    private void ImportTree(string root)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        foreach (string path in Directory.EnumerateFiles(root, "*", options).Order(StringComparer.Ordinal))
        {
            if (File.ResolveLinkTarget(path, returnFinalTarget: false) is not null)
                Report.Leave("symbolic link");
            else
                ImportFile(path, Path.GetRelativePath(root, path));
        }
    }

    private void ImportFile(string path, string name)
    {
        string plain = TextFiles.WithoutCompression(name);
        if (Binary.Contains(Path.GetExtension(plain)))
        {
            Report.Leave("not text, by its name");
            return;
        }
        UInt128 fingerprint = Fingerprint(path, name, out bool isParquet);
        if (!_options.Again && store.WasImported(fingerprint))
        {
            Report.Leave("imported before");
            return;
        }
        var before = (Report.Files, Report.Documents, Report.Bytes, Report.Repaired, Report.Cut);
        store.BeginFile();
        try
        {
            if (TextFiles.IsJsonLines(name))
                ImportLines(path, name);
            else if (isParquet)
                ImportRows(path, name);
            else
                ImportWhole(path, name, Path.GetExtension(plain));
        }
        catch (Exception error) when (TextFiles.IsDamage(error) || error is UserErrorException)
        {
            string sentence = error is UserErrorException ? error.Message : $"{path} cannot be decompressed ({error.Message.TrimEnd('.')}); it is cut, damaged or not what its name says.";
            if (_options.Strict)
                throw new UserErrorException(sentence, error);
            Report.LeaveDamaged(sentence, _options.KeepPartial);
            if (!_options.KeepPartial)
            {
                (Report.Files, Report.Documents, Report.Bytes, Report.Repaired, Report.Cut) = before;
                store.ForgetFile();
                return;
            }
        }
        store.EndFile(fingerprint);
    }

    /// <summary>Of the name and every byte as it lies there.</summary>
    private UInt128 Fingerprint(string path, string name, out bool isParquet)
    {
        var digest = new XxHash128();
        digest.Append(Encoding.UTF8.GetBytes(name));
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        long length = RandomAccess.GetLength(file), offset = 0;
        isParquet = ParquetText.IsNamedSo(path);
        _held = -1;
        for (int read; offset < length && (read = RandomAccess.Read(file, _block, offset)) > 0; offset += read)
        {
            ReadOnlySpan<byte> held = _block.AsSpan(0, read);
            isParquet |= offset == 0 && held.StartsWith(ParquetText.Magic);
            digest.Append(held);
            _held = read == length ? read : -1;
        }
        return digest.GetCurrentHashAsUInt128();
    }

    /// <summary>The file that was fingerprinted last; a small one is not read again.</summary>
    private Stream Open(string path) => _held < 0 ? TextFiles.Open(path) : TextFiles.Decompressed(path, new MemoryStream(_block, 0, _held, writable: false));

    private void ImportLines(string path, string name)
    {
        using Stream stream = Open(path);
        var lines = new LineReader(stream, path, DocumentReader.MaxLineBytes);
        var buffer = new ArrayBufferWriter<byte>(1 << 16);
        bool repaired = false;
        while (lines.TryRead(out ReadOnlyMemory<byte> line))
            if (!line.Span.Trim(" \t\r"u8).IsEmpty)
                AddJson(line.Span, path, name, lines.Number, buffer, ref repaired);
        Report.Repaired += repaired ? 1 : 0; // files are counted, not lines
        Report.Files++;
    }

    private void AddJson(ReadOnlySpan<byte> json, string path, string name, long number, ArrayBufferWriter<byte> buffer, ref bool repaired)
    {
        (string? text, string? reason) = JsonText.Of(json, path, number, buffer, ref repaired);
        if (text is null)
            Report.Leave(reason!);
        else
            Add($"{name}:{number}", text);
    }

    private void ImportRows(string path, string name)
    {
        long number = 0;
        foreach (string? text in ParquetText.Read(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(text))
                Report.Leave("rows without text");
            else if (text.Contains('\uFFFD', StringComparison.Ordinal))
                Report.Leave("rows of unknown encoding");
            else
                Add($"{name}:{number}", text);
        }
        Report.Files++;
    }

    private void ImportWhole(string path, string name, string extension)
    {
        using Stream stream = Open(path);
        int head = stream.ReadAtLeast(_sniffed, _sniffed.Length, throwOnEndOfStream: false);
        ReadOnlySpan<byte> sniffed = _sniffed.AsSpan(0, head);
        bool isNamedJson = extension.Equals(".json", StringComparison.OrdinalIgnoreCase);
        if (head == 0)
            Report.Leave("empty");
        else if (sniffed.Contains((byte)0) && !RawText.HasMark(sniffed))
            Report.Leave("not text, by its bytes");
        else if (JsonText.AreLines(sniffed, isNamedJson))
            ImportLines(path, name);
        else if (ReadWhole(stream, head) is { } bytes)
            ImportText(bytes, path, name, extension, isNamedJson);
        else if (Markup.Contains(extension))
            throw new UserErrorException($"{path} has more than {MaxFileBytes >> 20} MiB of markup: cut it into documents (JSONL).");
        else
            ImportLong(path, name);
    }

    /// <summary>All bytes; null where there are too many for one document.</summary>
    private ArrayBufferWriter<byte>? ReadWhole(Stream stream, int head)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(head, 1 << 16));
        bytes.Write(_sniffed.AsSpan(0, head));
        while (stream.Read(bytes.GetSpan(1 << 16)) is > 0 and var read)
        {
            bytes.Advance(read);
            if (bytes.WrittenCount > MaxFileBytes)
                return null;
        }
        return bytes;
    }

    private void ImportText(ArrayBufferWriter<byte> bytes, string path, string name, string extension, bool isNamedJson)
    {
        if (RawText.Decode(bytes.WrittenSpan, out bool repaired) is not { } text)
        {
            Report.Leave("text of unknown encoding");
            return;
        }
        if (isNamedJson && JsonText.ArrayOf(Encoding.UTF8.GetBytes(text)) is { } objects)
        {
            var buffer = new ArrayBufferWriter<byte>();
            for (int i = 0; i < objects.Count; i++)
                AddJson(objects[i], path, name, i + 1, buffer, ref repaired);
        }
        else
        {
            if (Markup.Contains(extension))
                text = MarkupText.Extract(text);
            else if (extension.Length == 2 && char.IsAsciiDigit(extension[1]) && ManualText.IsManual(text))
                text = ManualText.Extract(text);
            if (string.IsNullOrWhiteSpace(text))
            {
                Report.Leave("no text");
                return;
            }
            Add(name, text);
        }
        Report.Repaired += repaired ? 1 : 0;
        Report.Files++;
    }

    /// <summary>A text too long for memory becomes documents that end with a line.</summary>
    private void ImportLong(string path, string name)
    {
        var text = new StringBuilder();
        int number = 0;
        foreach (DocumentPart part in DocumentReader.Read(path))
        {
            text.Append(Encoding.UTF8.GetString(part.Text.Span));
            if (text.Length < MaxCharacters - (1 << 20) && !part.IsLast)
                continue;
            Add($"{name}#{++number}", text.ToString());
            text.Clear();
        }
        Report.Cut++;
        Report.Files++;
    }

    private void Add(string name, string text)
    {
        text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\0", "", StringComparison.Ordinal);
        if (string.IsNullOrWhiteSpace(text))
        {
            Report.Leave("no text");
            return;
        }
        if (text.Length > MaxCharacters)
        {
            Report.Cut++;
            for (int at = 0, number = 1; at < text.Length; number++)
            {
                int length = Math.Min(MaxCharacters, text.Length - at);
                if (at + length < text.Length && text.LastIndexOf('\n', at + length - 1, length / 2) is > 0 and var line)
                    length = line + 1 - at;
                else if (char.IsHighSurrogate(text[at + length - 1]))
                    length--;
                Store($"{name}#{number}", text.Substring(at, length));
                at += length;
            }
            return;
        }
        Store(name, text);
    }

    private void Store(string name, string text)
    {
        ulong digest = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name), (long)XxHash3.HashToUInt64(System.Runtime.InteropServices.MemoryMarshal.AsBytes(text.AsSpan())));
        store.Add(new StoredDocument(digest.ToString("x16", CultureInfo.InvariantCulture), name, text));
        Report.Documents++;
        Report.Bytes += Encoding.UTF8.GetByteCount(text);
    }
}
