using System.Buffers;
using System.Text.Json;
using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Loading;

/// <summary>
/// A committed checkpoint, read under any layout. Every byte that is used is proved by its digest first; memory beyond the wanted slices
/// is one chunk a thread.
/// </summary>
public sealed class CheckpointReader
{
    private readonly Dictionary<string, TensorRecord> _tensors;

    private CheckpointReader(string folder, CheckpointManifest manifest)
    {
        Folder = folder;
        Manifest = manifest;
        _tensors = manifest.Tensors.ToDictionary(tensor => tensor.Name);
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
    /// <param name="proveSizes">False leaves the files' sizes to the moment when they are opened (one rank of a job is enough).</param>
    public static CheckpointReader Open(string folder, bool proveSizes = true)
    {
        if (!Directory.Exists(folder))
            throw new CheckpointException($"there is no checkpoint {folder}");
        var marker = CheckpointFolders.ReadMarker(folder)
            ?? throw new CheckpointDamagedException($"{Path.Combine(folder, CommitMarker.FileName)} is missing or damaged: the checkpoint is not committed");
        var manifest = ReadManifest(Path.Combine(folder, CheckpointManifest.FileName), marker);
        if (proveSizes)
        {
            foreach (var file in manifest.Files)
                StoredFile.Open(folder, file, proveHeader: false).Dispose();
        }
        return new CheckpointReader(folder, manifest);
    }

    /// <summary>A tensor's record; throws <see cref="CheckpointMismatchException"/> where there is none.</summary>
    public TensorRecord this[string name] => _tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new CheckpointMismatchException($"checkpoint {Folder} has no tensor '{name}': it was saved by another model");

    /// <summary>Whether there is a tensor of a name.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>Fills the wanted slices. Throws <see cref="CheckpointMismatchException"/> before anything is written, or <see cref="CheckpointDamagedException"/>.</summary>
    /// <param name="wanted">Slices of this rank's layout; their memory is overwritten.</param>
    /// <param name="threads">Threads that read.</param>
    public void Load(IReadOnlyList<StateSlice> wanted, int threads = 1)
    {
        var jobs = new List<(TensorRecord Tensor, SliceRecord Slice, StateSlice[] Wanted)>();
        foreach (var group in wanted.GroupBy(slice => slice.Name))
        {
            var tensor = this[group.Key];
            foreach (var slice in group)
                ProveFit(tensor, slice);
            foreach (var stored in tensor.Slices)
            {
                StateSlice[] touching = [.. group.Where(slice => BoxOf(stored).Intersect(BoxOf(slice)).Count > 0)];
                if (touching.Length > 0)
                    jobs.Add((tensor, stored, touching));
            }
        }
        var perFile = jobs.OrderBy(job => job.Slice.File).ThenBy(job => job.Slice.Start).ToArray();
        InFiles(perFile.Select(job => job.Slice.File), proveHeaders: true, files =>
            InParallel(perFile, threads, (job, buffer) => Copy(files[job.Slice.File], job.Tensor, job.Slice, job.Wanted, buffer)));
    }

    /// <summary>
    /// Reads every byte and returns one sentence for each thing that is not as it was written: the header of a file, a tensor's part.
    /// </summary>
    public IReadOnlyList<string> Verify(int threads = 1)
    {
        var damages = new List<string>();
        for (int index = 0; index < Manifest.Files.Count; index++)
        {
            try
            {
                using var file = StoredFile.Open(Folder, Manifest.Files[index], proveHeader: true);
                var slices = Manifest.Tensors.SelectMany(tensor => tensor.Slices.Where(slice => slice.File == index).Select(slice => (tensor, slice))).ToArray();
                InParallel(slices, threads, (pair, buffer) => VerifySlice(file, pair.tensor, pair.slice, buffer, damages));
            }
            catch (CheckpointDamagedException damage)
            {
                damages.Add(damage.Message);
            }
        }
        return damages;
    }

    internal static Box BoxOf(SliceRecord slice) => new(slice.Offset, slice.Shape);

    private static Box BoxOf(StateSlice slice) => new(slice.Offset, slice.Shape);

    private static CheckpointManifest ReadManifest(string path, CommitMarker marker)
    {
        byte[] json;
        try
        {
            json = File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointDamagedException($"{path} cannot be read ({failure.Message})", failure);
        }
        if (json.Length != marker.ManifestBytes || Digest.Of(json) != marker.ManifestDigest)
            throw new CheckpointDamagedException($"{path} is not what was written");
        try
        {
            using var document = JsonDocument.Parse(json);
            int version = document.RootElement.GetProperty("format_version").GetInt32();
            if (version != CheckpointManifest.CurrentFormat)
                throw new CheckpointException($"{path} has format {version}; this version of Uniscale reads format {CheckpointManifest.CurrentFormat}");
            var manifest = CheckpointManifest.FromJson(json);
            return ManifestRules.Broken(manifest) is { } problem ? throw new CheckpointDamagedException($"{path} is no manifest: {problem}") : manifest;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new CheckpointDamagedException($"{path} is no manifest ({failure.Message.ReplaceLineEndings(" ")})", failure);
        }
    }

    private void ProveFit(TensorRecord tensor, StateSlice wanted)
    {
        if (!tensor.Shape.AsSpan().SequenceEqual(wanted.GlobalShape))
            throw new CheckpointMismatchException($"tensor '{tensor.Name}' has shape {Box.Show(tensor.Shape)} in {Folder}, the model wants {Box.Show(wanted.GlobalShape)}");
        if (tensor.Type != wanted.Type)
            throw new CheckpointMismatchException($"tensor '{tensor.Name}' is {tensor.Type} in {Folder}, the model wants {wanted.Type}");
        var box = BoxOf(wanted);
        if (!box.FitsIn(tensor.Shape))
            throw new CheckpointException($"a slice of tensor '{tensor.Name}' at {Box.Show(box.Offset)} with extents {Box.Show(box.Shape)} is not within {Box.Show(tensor.Shape)}");
        long found = tensor.Slices.Sum(stored => BoxOf(stored).Intersect(box).Count);
        if (found != box.Count)
            throw new CheckpointDamagedException($"{Folder} holds {found} of {box.Count} wanted elements of tensor '{tensor.Name}'");
    }

    private void Copy(StoredFile file, TensorRecord tensor, SliceRecord stored, StateSlice[] wanted, Span<byte> buffer)
    {
        int elementBytes = tensor.Type.SizeBytes();
        long sizeBytes = BoxOf(stored).Count * elementBytes;
        var copies = wanted.Select(slice => SliceCopy.Of(BoxOf(stored), BoxOf(slice), elementBytes, slice.Address)!).ToArray();
        for (long chunk = 0; chunk * Manifest.ChunkBytes < sizeBytes; chunk++)
        {
            long start = chunk * Manifest.ChunkBytes;
            if (!copies.Any(copy => copy.Needs(start + Manifest.ChunkBytes)))
                continue;
            var bytes = file.ReadChunk(tensor.Name, stored, sizeBytes, Manifest.ChunkBytes, chunk, buffer);
            foreach (var copy in copies)
                copy.Take(start, bytes);
        }
    }

    private void VerifySlice(StoredFile file, TensorRecord tensor, SliceRecord slice, Span<byte> buffer, List<string> damages)
    {
        long sizeBytes = BoxOf(slice).Count * tensor.Type.SizeBytes();
        for (long chunk = 0; chunk * Manifest.ChunkBytes < sizeBytes; chunk++)
        {
            try
            {
                file.ReadChunk(tensor.Name, slice, sizeBytes, Manifest.ChunkBytes, chunk, buffer);
            }
            catch (CheckpointDamagedException damage)
            {
                lock (damages)
                    damages.Add(damage.Message);
            }
        }
    }

    private void InFiles(IEnumerable<int> indices, bool proveHeaders, Action<IReadOnlyDictionary<int, StoredFile>> body)
    {
        var files = new Dictionary<int, StoredFile>();
        try
        {
            foreach (int index in indices.Distinct())
                files[index] = StoredFile.Open(Folder, Manifest.Files[index], proveHeaders);
            body(files);
        }
        finally
        {
            foreach (var file in files.Values)
                file.Dispose();
        }
    }

    private delegate void ChunkBody<T>(T item, Span<byte> buffer);

    private void InParallel<T>(T[] items, int threads, ChunkBody<T> body)
    {
        try
        {
            Parallel.ForEach(items, new ParallelOptions { MaxDegreeOfParallelism = threads },
                () => ArrayPool<byte>.Shared.Rent(Manifest.ChunkBytes),
                (item, _, buffer) =>
                {
                    body(item, buffer);
                    return buffer;
                },
                buffer => ArrayPool<byte>.Shared.Return(buffer));
        }
        catch (AggregateException failures)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }
}
