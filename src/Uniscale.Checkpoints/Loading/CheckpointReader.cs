using System.Buffers;
using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Loading;

/// <summary>
/// A committed checkpoint, read under any layout. Every byte that is used is proved by its digest first; memory beyond the wanted slices
/// is one chunk a thread.
/// </summary>
public sealed class CheckpointReader
{
    /// <summary>A rank may need parts of thousands of files, and a process may not open as many.</summary>
    private const int FilesAtOnce = 8;

    private readonly Dictionary<string, (TensorRecord Record, int Index)> _tensors;

    private CheckpointReader(string folder, CheckpointManifest manifest)
    {
        Folder = folder;
        Manifest = manifest;
        _tensors = manifest.Tensors.Index().ToDictionary(tensor => tensor.Item.Name, tensor => (tensor.Item, tensor.Index));
    }

    /// <summary>The checkpoint's folder.</summary>
    public string Folder { get; }

    /// <summary>What it says of itself.</summary>
    public CheckpointManifest Manifest { get; }

    /// <summary>
    /// Opens a checkpoint and proves its marker and manifest, and that every data file is there with its size.
    /// Throws <see cref="CheckpointDamagedException"/> that names the file at fault.
    /// </summary>
    /// <param name="folder">The folder, e.g. <c>checkpoints/step-00000100</c>.</param>
    /// <param name="proveSizes">False leaves the files' sizes to the moment when they are opened.</param>
    public static CheckpointReader Open(string folder, bool proveSizes = true)
    {
        var reader = Open(folder, ReadManifest(folder));
        if (proveSizes)
        {
            foreach (var file in reader.Manifest.Files)
                StoredFile.Open(folder, file, proveHeader: false).Dispose();
        }
        return reader;
    }

    /// <summary>Opens a checkpoint whose manifest has been read.</summary>
    internal static CheckpointReader Open(string folder, ReadOnlySpan<byte> manifest) =>
        new(folder, ManifestJson.Read(manifest, Path.Combine(folder, CheckpointManifest.FileName)));

    /// <summary>The bytes of a checkpoint's manifest, proved by its marker.</summary>
    internal static byte[] ReadManifest(string folder)
    {
        if (!Directory.Exists(folder))
            throw new CheckpointException($"there is no checkpoint {folder}");
        string path = Path.Combine(folder, CommitMarker.FileName);
        try
        {
            var marker =
                CheckpointFolders.OpenMarker(folder)
                ?? throw new CheckpointDamagedException($"{path} is missing or damaged: the checkpoint is not committed");
            path = Path.Combine(folder, CheckpointManifest.FileName);
            byte[] json = File.ReadAllBytes(path);
            return json.Length == marker.ManifestBytes && Digest.Of(json) == marker.ManifestDigest
                ? json
                : throw new CheckpointDamagedException($"{path} is not what was written");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw ReadFailure.Of($"{path} cannot be read", failure);
        }
    }

    /// <summary>A tensor's record; throws <see cref="CheckpointMismatchException"/> where there is none.</summary>
    public TensorRecord this[string name] => Find(name).Record;

    /// <summary>Whether there is a tensor of a name.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>Where a tensor lies: for each part the file, its first byte there, its offset and its extents.</summary>
    public IEnumerable<(string File, long Start, long[] Offset, long[] Shape)> PartsOf(TensorRecord tensor) =>
        Manifest
            .Parts.Of(Find(tensor.Name).Index, new Box(new long[tensor.Shape.Length], tensor.Shape))
            .Select(part => (Manifest.Files[part.File].Name, part.Start, part.Box.Offset, part.Box.Shape));

    /// <summary>
    /// Fills the wanted slices. Throws <see cref="CheckpointMismatchException"/> before anything is written, or
    /// <see cref="CheckpointDamagedException"/>.
    /// </summary>
    /// <param name="wanted">Slices of this rank's layout; their memory is overwritten.</param>
    /// <param name="threads">Threads that read.</param>
    public void Load(IReadOnlyList<StateSlice> wanted, int threads = 1) => Load(wanted, threads, proves: null);

    /// <summary>The same where ranks share the proof of what is no tensor's: headers, and the digests themselves.</summary>
    /// <param name="wanted">Slices of this rank's layout; their memory is overwritten.</param>
    /// <param name="threads">Threads that read.</param>
    /// <param name="proves">Files that this rank proves, whether or not it reads tensors from them; null: those that it reads.</param>
    internal void Load(IReadOnlyList<StateSlice> wanted, int threads, Func<int, bool>? proves)
    {
        var jobs = Find(wanted);
        var jobsOf = jobs.ToLookup(job => job.Part.File);
        int[] touched = [.. jobsOf.Select(file => file.Key)];
        HashSet<int> proved = [.. proves is null ? touched : Enumerable.Range(0, Manifest.Files.Count).Where(proves)];
        foreach (int file in proved.Except(touched))
            OpenProved(file).Dispose();
        foreach (int[] some in touched.Chunk(FilesAtOnce))
            InFiles(
                some,
                proved,
                files =>
                    InParallel(
                        [.. some.SelectMany(file => jobsOf[file])],
                        threads,
                        job => BytesOf(job.Tensor, job.Part),
                        (job, buffer) => Copy(files[job.Part.File], job.Tensor, job.Part, job.Wanted, buffer)
                    )
            );
    }

    /// <summary>Stored parts that wanted slices are made of, in order of their files and places.</summary>
    internal (TensorRecord Tensor, StoredPart Part, StateSlice[] Wanted)[] Find(IReadOnlyList<StateSlice> wanted) =>
        [
            .. wanted
                .GroupBy(slice => slice.Name)
                .SelectMany(group => FindOfOne([.. group]))
                .OrderBy(job => job.Part.File)
                .ThenBy(job => job.Part.Start),
        ];

    /// <summary>
    /// Reads every byte and returns one sentence for each thing that is not as it was written: the header of a file, a tensor's part.
    /// </summary>
    public IReadOnlyList<string> Verify(int threads = 1) => Verify([.. Enumerable.Range(0, Manifest.Files.Count)], threads);

    /// <summary>The same of some files.</summary>
    internal IReadOnlyList<string> Verify(IReadOnlyList<int> files, int threads = 1)
    {
        var damages = new List<string>();
        foreach (int index in files)
        {
            try
            {
                using var file = OpenProved(index);
                InParallel(
                    Manifest.Parts.In(index).ToArray(),
                    threads,
                    found => BytesOf(Manifest.Tensors[found.Tensor], found.Part),
                    (found, buffer) => VerifyPart(file, Manifest.Tensors[found.Tensor], found.Part, buffer, damages)
                );
            }
            catch (CheckpointDamagedException damage)
            {
                damages.Add(damage.Message);
            }
        }
        return damages;
    }

    private static Box BoxOf(StateSlice slice) => new(slice.Offset, slice.Shape);

    private (TensorRecord Record, int Index) Find(string name) =>
        _tensors.TryGetValue(name, out var tensor)
            ? tensor
            : throw new CheckpointMismatchException($"checkpoint {Folder} has no tensor '{name}': it was saved by another model");

    private StoredFile OpenProved(int index)
    {
        var file = StoredFile.Open(Folder, Manifest.Files[index], proveHeader: true);
        try
        {
            foreach (var table in Manifest.Parts.TablesIn(index))
                file.ProveTable(table);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    // Each stored part is read once, whatever number of wanted slices it serves.
    private IEnumerable<(TensorRecord Tensor, StoredPart Part, StateSlice[] Wanted)> FindOfOne(StateSlice[] wanted)
    {
        var (tensor, index) = Find(wanted[0].Name);
        var byPart = new Dictionary<(int File, long Start), (StoredPart Part, List<StateSlice> Wanted)>();
        foreach (var slice in wanted)
        {
            ProveFit(tensor, slice);
            long found = 0;
            foreach (var part in Manifest.Parts.Of(index, BoxOf(slice)))
            {
                found += part.Box.Intersect(BoxOf(slice)).Count;
                if (!byPart.TryGetValue((part.File, part.Start), out var job))
                    byPart[(part.File, part.Start)] = job = (part, []);
                job.Wanted.Add(slice);
            }
            if (found != slice.Count)
                throw new CheckpointDamagedException($"{Folder} holds {found} of {slice.Count} wanted elements of tensor '{tensor.Name}'");
        }
        return byPart.Values.Select(job => (tensor, job.Part, job.Wanted.ToArray()));
    }

    private void ProveFit(TensorRecord tensor, StateSlice wanted)
    {
        if (!tensor.Shape.AsSpan().SequenceEqual(wanted.GlobalShape))
            throw new CheckpointMismatchException(
                $"tensor '{tensor.Name}' has shape {Box.Show(tensor.Shape)} in {Folder}, the model wants {Box.Show(wanted.GlobalShape)}"
            );
        if (tensor.Type != wanted.Type)
            throw new CheckpointMismatchException($"tensor '{tensor.Name}' is {tensor.Type} in {Folder}, the model wants {wanted.Type}");
        var box = BoxOf(wanted);
        if (!box.FitsIn(tensor.Shape))
            throw new CheckpointException(
                $"a slice of tensor '{tensor.Name}' at {Box.Show(box.Offset)} with extents {Box.Show(box.Shape)} is not within {Box.Show(tensor.Shape)}"
            );
    }

    private void Copy(StoredFile file, TensorRecord tensor, StoredPart stored, StateSlice[] wanted, Span<byte> buffer)
    {
        int elementBytes = tensor.Type.SizeBytes();
        long sizeBytes = BytesOf(tensor, stored);
        var copies = wanted.Select(slice => SliceCopy.Of(stored.Box, BoxOf(slice), elementBytes, slice.Address)!).ToArray();
        byte[] digests = DigestsOf(file, stored, sizeBytes);
        for (long chunk = 0; chunk * Manifest.ChunkBytes < sizeBytes; chunk++)
        {
            long start = chunk * Manifest.ChunkBytes;
            if (!copies.Any(copy => copy.Needs(start + Manifest.ChunkBytes)))
                continue;
            var bytes = file.ReadChunk(tensor.Name, stored, sizeBytes, Manifest.ChunkBytes, chunk, digests, buffer);
            foreach (var copy in copies)
                copy.Take(start, bytes);
        }
    }

    private void VerifyPart(StoredFile file, TensorRecord tensor, StoredPart part, Span<byte> buffer, List<string> damages)
    {
        long sizeBytes = BytesOf(tensor, part);
        byte[] digests = DigestsOf(file, part, sizeBytes);
        for (long chunk = 0; chunk * Manifest.ChunkBytes < sizeBytes; chunk++)
        {
            try
            {
                file.ReadChunk(tensor.Name, part, sizeBytes, Manifest.ChunkBytes, chunk, digests, buffer);
            }
            catch (CheckpointDamagedException damage)
            {
                lock (damages)
                    damages.Add(damage.Message);
            }
        }
    }

    private byte[] DigestsOf(StoredFile file, StoredPart part, long sizeBytes) =>
        file.DigestsOf(part, Digest.ChunkCount(sizeBytes, Manifest.ChunkBytes));

    private void InFiles(IReadOnlyList<int> indices, HashSet<int> proved, Action<IReadOnlyDictionary<int, StoredFile>> body)
    {
        var files = new Dictionary<int, StoredFile>();
        try
        {
            foreach (int index in indices)
                files[index] = proved.Contains(index)
                    ? OpenProved(index)
                    : StoredFile.Open(Folder, Manifest.Files[index], proveHeader: false);
            body(files);
        }
        finally
        {
            foreach (var file in files.Values)
                file.Dispose();
        }
    }

    private delegate void ChunkBody<T>(T item, Span<byte> buffer);

    private static long BytesOf(TensorRecord tensor, StoredPart part) => part.Box.Count * tensor.Type.SizeBytes();

    // With a buffer a thread, of a chunk of the largest item.
    private void InParallel<T>(T[] items, int threads, Func<T, long> sizeBytes, ChunkBody<T> body)
    {
        int bufferBytes = (int)Math.Min(Manifest.ChunkBytes, items.Select(sizeBytes).DefaultIfEmpty().Max());
        try
        {
            Parallel.ForEach(
                items,
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                () => ArrayPool<byte>.Shared.Rent(bufferBytes),
                (item, _, buffer) =>
                {
                    body(item, buffer);
                    return buffer;
                },
                buffer => ArrayPool<byte>.Shared.Return(buffer)
            );
        }
        catch (AggregateException failures)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }
}
