using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>
/// Turns raw files of any form into documents of a domain of a store. Which files of the store there are, and what is in them, depends on
/// the raw files alone: not on workers, nor on the order
/// in which files are named, nor on stops in between. A raw file is in the store whole or not at all.
/// </summary>
public sealed class Importer
{
    private readonly string _store;
    private readonly string _domain;
    private readonly ImportOptions _options;
    private readonly ImportReport _report = new();
    private readonly Lock _gate = new();
    private long _bytesDone;

    /// <param name="store">The store's folder, made where it is not there.</param>
    /// <param name="domain">The domain that the documents go into.</param>
    /// <param name="options">How.</param>
    /// <exception cref="UserErrorException">An option says what nobody can follow.</exception>
    public Importer(string store, string domain, ImportOptions? options = null)
    {
        (_store, _domain, _options) = (store, domain, options ?? new ImportOptions());
        _options.Reading.Check();
        WorkerCount.Check(_options.Workers);
    }

    /// <summary>Imports files and whole directories.</summary>
    /// <exception cref="UserErrorException">A path does not exist, another import has the domain, or a file is damaged and the first such
    /// ends the import.</exception>
    /// <exception cref="RawStoreException">Another place does not answer; what was imported until then is in the store, and the same call
    /// goes on behind it.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; what was imported until then is in the store, and the same call goes on
    /// behind it.</exception>
    public async Task<ImportReport> RunAsync(IEnumerable<string> paths, CancellationToken cancellation = default)
    {
        var found = RawFiles.Find(paths, _options.Stores, reason => _report.Leave(reason));
        using var domain = new DomainFolder(_store, _domain);
        var files = RawFiles.Fingerprint(found, _options.Workers, reason => _report.Leave(reason), cancellation);
        var units = Plan(files, domain);
        if (units.Count > 0)
        {
            await RunAsync(units, domain, cancellation);
            domain.End();
        }
        return _report;
    }

    /// <summary>What files are, their first documents, and what would be left out of these and why. Nothing is written.</summary>
    /// <param name="paths">Files and directories.</param>
    /// <param name="mostDocuments">Documents of a file that are looked at.</param>
    /// <exception cref="RawStoreException">Another place does not answer.</exception>
    public IEnumerable<ImportPreview> Look(IEnumerable<string> paths, int mostDocuments)
    {
        string work = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            foreach (var file in RawFiles.Find(paths, _options.Stores, _ => { }))
                yield return ImportPreview.Of(file, new ReadingContext(_options.Reading, work), mostDocuments);
        }
        finally
        {
            if (Directory.Exists(work))
                Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>What is to be done; where the same import was stopped, under the numbers that it began with.</summary>
    private IReadOnlyList<ImportUnit> Plan(List<RawFile> files, DomainFolder domain)
    {
        bool IsOpen(RawFile file, int first) =>
            _options.Again || domain.Find(file.Fingerprint) is not { IsDamaged: false } held || held.Unit >= first;
        List<RawFile> Open(int first) => [.. files.Where(file => IsOpen(file, first))];

        if (
            domain.Interrupted is { } interrupted
            && Open(interrupted.First) is { Count: > 0 } resumed
            && DigestOf(resumed) == interrupted.Digest
        )
            return Count(files.Count - resumed.Count, ImportUnit.Divide(resumed, interrupted.First, _options.UnitBytes));
        int next = domain.NextUnit;
        var open = Open(next);
        if (open.Count > 0)
            domain.Begin(next, DigestOf(open));
        return Count(files.Count - open.Count, ImportUnit.Divide(open, next, _options.UnitBytes));
    }

    private IReadOnlyList<ImportUnit> Count(int before, IReadOnlyList<ImportUnit> units)
    {
        if (before > 0)
            _report.Leave("imported before", before);
        return units;
    }

    /// <summary>Of the files and of all that decides what they become.</summary>
    private string DigestOf(List<RawFile> files)
    {
        var digest = new XxHash128();
        var reading = _options.Reading;
        digest.Append(
            Encoding.UTF8.GetBytes(
                $"{reading.Form}\n{reading.Text}\n{reading.Template}\n{string.Join(',', reading.Keep)}\n{_options.KeepPartial}\n{_options.Again}\n"
            )
        );
        foreach (var file in files)
            digest.Append(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{file.Fingerprint:x32} {file.Name}\n")));
        return digest.GetCurrentHashAsUInt128().ToString("x32", CultureInfo.InvariantCulture);
    }

    private async Task RunAsync(IReadOnlyList<ImportUnit> units, DomainFolder domain, CancellationToken cancellation)
    {
        var workers = new SemaphoreSlim(_options.Workers);
        long all = units.Sum(unit => unit.Bytes);
        await Parallel.ForEachAsync(
            units,
            new ParallelOptions { MaxDegreeOfParallelism = _options.Workers, CancellationToken = cancellation },
            async (unit, stop) =>
            {
                if (unit.Files.All(file => domain.Find(file.Fingerprint)?.Unit == unit.Number))
                {
                    lock (_gate)
                        _report.Leave("imported before", unit.Files.Count);
                }
                else
                {
                    Add(await new UnitImport(unit, domain, _options, workers).RunAsync(stop));
                }
                _options.Progress?.Invoke(Interlocked.Add(ref _bytesDone, unit.Bytes), all);
            }
        );
    }

    private void Add(IReadOnlyList<FileTally> files)
    {
        lock (_gate)
        {
            foreach (var file in files)
            {
                if (file.Damage is { } damage)
                    _report.AddDamaged(Sentence.Damaged(file.File.Path, damage), inPart: _options.KeepPartial);
                if (file.Damage is null || _options.KeepPartial)
                    _report.Add(file);
            }
        }
    }
}
