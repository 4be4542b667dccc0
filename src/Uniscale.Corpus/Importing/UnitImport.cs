using System.Collections.Concurrent;
using System.Threading.Channels;
using Uniscale.Configuration;
using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>
/// Raw files that go into files of the store of their own, together or not at all: what they are depends on them alone, whoever imports
/// them when.
/// </summary>
/// <param name="Number">Number of these files of the store.</param>
/// <param name="Files">The raw files.</param>
internal sealed record ImportUnit(int Number, IReadOnlyList<RawFile> Files)
{
    private const int FullFiles = 8192;

    public long Bytes => Files.Sum(file => file.Length);

    /// <summary>Units of files in their order.</summary>
    /// <param name="files">The files.</param>
    /// <param name="first">Number of the first unit.</param>
    /// <param name="fullBytes">Bytes of raw files that make a unit full.</param>
    public static IReadOnlyList<ImportUnit> Divide(IReadOnlyList<RawFile> files, int first, long fullBytes)
    {
        var units = new List<ImportUnit>();
        var held = new List<RawFile>();
        long bytes = 0;
        foreach (var file in files)
        {
            held.Add(file);
            bytes += file.Length;
            if (bytes < fullBytes && held.Count < FullFiles)
                continue;
            units.Add(new ImportUnit(first + units.Count, held));
            (held, bytes) = ([], 0);
        }
        if (held.Count > 0)
            units.Add(new ImportUnit(first + units.Count, held));
        return units;
    }
}

/// <summary>
/// Imports one unit: one thread reads its files, one after the other; several work on the documents; one writes them in order.
/// </summary>
internal sealed class UnitImport(ImportUnit unit, DomainFolder domain, ImportOptions options, SemaphoreSlim workers)
{
    private const long PartCharacters = 64L << 20;
    private const int BatchesInHand = 4;

    private readonly Dictionary<RawFile, FileTally> _damaged = [];
    private readonly ConcurrentBag<DocumentBatch> _written = [];

    private string WorkFolder => Path.Combine(domain.WorkFolder, $"{unit.Number}");

    /// <summary>Imports and commits it.</summary>
    /// <returns>What each file gave.</returns>
    /// <exception cref="UserErrorException">A file is damaged, and the first such ends the import.</exception>
    public async Task<IReadOnlyList<FileTally>> RunAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int damagedBefore = _damaged.Count;
            var parts = new List<DocumentFileWriter>();
            try
            {
                var files = await PassAsync(parts, cancellation);
                if (_damaged.Count > damagedBefore && !options.KeepPartial)
                    continue; // once more without them: what was written of them cannot be taken out of a file
                domain.Commit(parts, [.. files.Select(file => file.ToImported(unit.Number, parts.Count))]);
                return files;
            }
            finally
            {
                parts.ForEach(part => part.Dispose());
                if (Directory.Exists(WorkFolder))
                    Directory.Delete(WorkFolder, recursive: true);
            }
        }
    }

    private async Task<List<FileTally>> PassAsync(List<DocumentFileWriter> parts, CancellationToken cancellation)
    {
        using var failure = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var batches = Channel.CreateBounded<Task<DocumentBatch>>(
            new BoundedChannelOptions(BatchesInHand) { SingleReader = true, SingleWriter = true }
        );
        var reading = Task.Run(() => ReadAsync(batches.Writer, failure.Token), CancellationToken.None);
        try
        {
            await foreach (var converting in batches.Reader.ReadAllAsync(cancellation))
                Write(await converting, parts);
        }
        finally
        {
            await failure.CancelAsync();
            await reading.ContinueWith(
                _ => { },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        }
        return await reading;
    }

    private void Write(DocumentBatch batch, List<DocumentFileWriter> parts)
    {
        batch.Count();
        if (!batch.Lines.IsEmpty)
            WriteLines(batch, parts);
        batch.Clear();
        if (batch.IsSmall)
            _written.Add(batch);
    }

    private void WriteLines(DocumentBatch batch, List<DocumentFileWriter> parts)
    {
        if (parts.Count == 0 || parts[^1].Characters >= PartCharacters)
        {
            if (parts.Count > 0)
                parts[^1].Close();
            parts.Add(domain.Open(unit.Number, parts.Count));
        }
        parts[^1].AddLines(batch.Lines, batch.Characters);
    }

    private async Task<List<FileTally>> ReadAsync(ChannelWriter<Task<DocumentBatch>> batches, CancellationToken cancellation)
    {
        var files = new List<FileTally>();
        var batch = NewBatch();
        async ValueTask SendAsync()
        {
            await workers.WaitAsync(cancellation);
            var full = batch;
            batch = NewBatch();
            var converting = Task.Run(full.Convert, CancellationToken.None);
            _ = converting.ContinueWith(
                _ => workers.Release(),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
            await batches.WriteAsync(converting, cancellation);
        }

        try
        {
            foreach (var file in unit.Files)
            {
                if (_damaged.TryGetValue(file, out var damaged))
                {
                    files.Add(damaged);
                    continue;
                }
                var tally = new FileTally(file);
                files.Add(tally);
                foreach (var document in Documents(tally))
                {
                    cancellation.ThrowIfCancellationRequested();
                    batch.Add(tally, document);
                    if (batch.IsFull)
                        await SendAsync();
                }
            }
            if (!batch.IsEmpty)
                await SendAsync();
            batches.Complete();
        }
        catch (Exception error)
        {
            batches.Complete(error);
        }
        return files;
    }

    /// <summary>An empty batch, with the memory of one that is written where there is one.</summary>
    private DocumentBatch NewBatch() => _written.TryTake(out var batch) ? batch : new DocumentBatch();

    /// <summary>The documents of a file up to its end, or to where it is damaged.</summary>
    private IEnumerable<RawDocument> Documents(FileTally tally)
    {
        var context = new ReadingContext(options.Reading, WorkFolder);
        using var documents = Documents(tally.File, context).GetEnumerator();
        while (true)
        {
            try
            {
                if (!documents.MoveNext())
                    break;
            }
            catch (Exception error) when (error is not (OperationCanceledException or RawStoreException))
            {
                Damage(tally, context, error);
                yield break;
            }
            yield return documents.Current;
        }
        tally.Recognised = context.Recognised;
        tally.Cut += context.CutFiles;
        tally.DamagedEntries = context.Damaged;
        if (options.Strict && context.Damaged.Count > 0)
            throw new UserErrorException($"{tally.File.Path}: {context.Damaged[0]} cannot be read.");
    }

    private IEnumerable<RawDocument> Documents(RawFile file, ReadingContext context)
    {
        using var local = LocalFile.Open(file, WorkFolder);
        foreach (var document in context.Read(local.Input))
            yield return document;
    }

    private void Damage(FileTally tally, ReadingContext context, Exception error)
    {
        string why = Sentence.Of(error);
        if (options.Strict)
            throw new UserErrorException(Sentence.Damaged(tally.File.Path, why), error);
        var damaged = options.KeepPartial ? tally : new FileTally(tally.File);
        (damaged.Damage, damaged.Recognised) = (why, context.Recognised);
        _damaged[tally.File] = damaged;
    }
}
