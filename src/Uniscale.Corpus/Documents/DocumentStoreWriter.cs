using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>
/// Adds documents to a domain of a store, in compressed files of about 64 MiB of text. One writer at a time has a domain; the documents of a raw file come in together or
/// not at all; names of files are never used again; what was imported is remembered (DOMAIN/.imported: a fingerprint and the files that hold its documents, a line each).
/// </summary>
public sealed class DocumentStoreWriter : IDisposable
{
    private const long FileCharacters = 64L << 20;

    /// <summary>Documents of a raw file are held back up to here; those of a larger one begin a file of the store, which can be taken back.</summary>
    private const long HeldCharacters = 8L << 20;

    private readonly string _directory;
    private readonly FileStream _lock;
    private readonly Dictionary<string, (int First, int Last)> _imported = [];
    private readonly List<string> _records = [];
    private readonly List<(int Number, DocumentFileWriter Writer)> _written = [];
    private readonly List<StoredDocument> _held = [];
    private long _heldCharacters;
    private bool _inFile;
    private int _firstOfFile;
    private DocumentFileWriter? _file;
    private int _number;

    /// <exception cref="UserErrorException">The name is no domain, or another import into it is under way.</exception>
    public DocumentStoreWriter(string store, string domain)
    {
        if (domain.Length == 0 || domain.AsSpan().ContainsAny(Path.GetInvalidFileNameChars()) || domain.StartsWith('.'))
            throw new UserErrorException($"'{domain}' cannot be a domain; use letters, digits, - and _.");
        _directory = Path.Combine(store, domain);
        Directory.CreateDirectory(_directory);
        try
        {
            _lock = new FileStream(Path.Combine(_directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
        {
            throw new UserErrorException($"Another import into {_directory} is under way ({error.Message.TrimEnd('.')}): wait for its end, or use another domain.", error);
        }
        foreach (string left in Directory.GetFiles(_directory, "*.unfinished"))
            File.Delete(left); // of an import that was killed; nobody else has the domain now
        ReadRecords();
        _number = Math.Max(_imported.Values.Select(held => held.Last).DefaultIfEmpty(-1).Max(), Directory.GetFiles(_directory, "*.jsonl.zst").Select(NumberOf).DefaultIfEmpty(-1).Max()) + 1;
    }

    private string RecordPath => Path.Combine(_directory, ".imported");

    /// <summary>True where a raw file is in the domain with all its documents.</summary>
    public bool WasImported(UInt128 fingerprint) =>
        _imported.TryGetValue(Key(fingerprint), out var held) && Enumerable.Range(held.First, held.Last - held.First + 1).All(number => _written.Any(part => part.Number == number) || File.Exists(PathOf(number)));

    /// <summary>What is added from now on is of one raw file.</summary>
    public void BeginFile() => (_inFile, _firstOfFile, _heldCharacters) = (true, -1, 0);

    /// <summary>The raw file is whole.</summary>
    public void EndFile(UInt128 fingerprint)
    {
        Release();
        _inFile = false;
        if (_firstOfFile < 0)
            return;
        int last = _written[^1].Number;
        _imported[Key(fingerprint)] = (_firstOfFile, last);
        _records.Add(string.Create(CultureInfo.InvariantCulture, $"{Key(fingerprint)} {_firstOfFile} {last}"));
    }

    /// <summary>Takes back what was added of a raw file.</summary>
    public void ForgetFile()
    {
        _held.Clear();
        _inFile = false;
        if (_firstOfFile < 0)
            return;
        foreach ((_, DocumentFileWriter writer) in _written.Where(part => part.Number >= _firstOfFile))
            writer.Dispose();
        _written.RemoveAll(part => part.Number >= _firstOfFile);
        _file = null;
    }

    /// <summary>Appends one document.</summary>
    public void Add(StoredDocument document)
    {
        if (!_inFile || _firstOfFile >= 0)
        {
            Write(document);
            return;
        }
        _held.Add(document);
        _heldCharacters += document.Text.Length;
        if (_heldCharacters < HeldCharacters)
            return;
        CloseFile();
        Release();
    }

    /// <summary>Gives the files that were written their names.</summary>
    public void Complete()
    {
        // The record first: a name that it holds is not given again, and a file that is missing makes it void.
        File.AppendAllLines(RecordPath, _records);
        _records.Clear();
        _written.ForEach(part => part.Writer.Complete());
        _written.Clear();
        _file = null;
    }

    /// <summary>Closes the files; those that were not completed are removed.</summary>
    public void Dispose()
    {
        _written.ForEach(part => part.Writer.Dispose());
        _lock.Dispose();
    }

    private void Release()
    {
        foreach (StoredDocument document in _held)
            Write(document);
        _held.Clear();
    }

    private void Write(StoredDocument document)
    {
        if (_file is null || _file.Characters >= FileCharacters)
        {
            CloseFile();
            _file = new DocumentFileWriter(PathOf(_number));
            _written.Add((_number++, _file));
        }
        if (_inFile && _firstOfFile < 0)
            _firstOfFile = _written[^1].Number;
        _file.Add(document);
    }

    private void CloseFile()
    {
        _file?.Close();
        _file = null;
    }

    private void ReadRecords()
    {
        if (!File.Exists(RecordPath))
            return;
        foreach (string line in File.ReadLines(RecordPath))
            if (line.Split(' ') is [var key, var first, var last] && int.TryParse(first, CultureInfo.InvariantCulture, out int from) && int.TryParse(last, CultureInfo.InvariantCulture, out int to) && from >= 0 && to >= from)
                _imported[key] = (from, to);
    }

    private string PathOf(int number) => Path.Combine(_directory, DocumentStore.FileName(number));

    private static int NumberOf(string path) => int.TryParse(Path.GetFileName(path).Split('.')[0], CultureInfo.InvariantCulture, out int number) ? number : -1;

    private static string Key(UInt128 fingerprint) => fingerprint.ToString("x32", CultureInfo.InvariantCulture);
}
