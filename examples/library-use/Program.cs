// The libraries that stand alone, each in a few lines: shards of tokens, programs of a layout, tensors in files, messages between ranks.
using System.Runtime.InteropServices;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Collectives;
using Uniscale.Data;
using Uniscale.Mpi;
using Uniscale.Programs;
using Uniscale.Programs.Checking;

string folder = Directory.CreateTempSubdirectory("uniscale-example-").FullName;
try
{
    Shards();
    Programs();
    Tensors();
    Messages();
}
finally
{
    Directory.Delete(folder, recursive: true);
}

// Uniscale.Data: token shards in Megatron's format, written and read.
void Shards()
{
    string prefix = Path.Combine(folder, "numbers");
    using (var writer = new ShardWriter(prefix, vocabulary: 1000))
    {
        for (int document = 0; document < 3; document++)
            writer.Add([.. Enumerable.Range(100 * document, 10)]);
        writer.Complete();
    }
    using var shard = TokenShard.Open(prefix);
    int[] tokens = new int[4];
    shard.Read(shard.DocumentStart(2), tokens);
    Console.WriteLine($"data: {shard.DocumentCount} documents, {shard.TokenCount} tokens; the third begins {string.Join(' ', tokens)}");
}

// Uniscale.Programs: the programs of 2048 ranks, proved without a tensor.
void Programs()
{
    var spec = new StepSpecification
    {
        Model = new ModelShape(
            Layers: 80,
            Hidden: 8192,
            Heads: 64,
            KvHeads: 8,
            HeadDim: 128,
            Ffn: 28672,
            Vocabulary: 65536,
            Context: 4096,
            GatedFfn: true,
            TiedEmbeddings: false
        ),
        Mesh = new MeshShape(Pipeline: 8, Data: 32, Context: 1, Tensor: 8),
        Microbatches = 16,
        MicrobatchSize = 1,
        ZeroStage = 1,
        ZeroGroup = 32,
    };
    var verdict = ProgramChecker.Check(spec);
    Console.WriteLine(
        $"programs: {spec.Mesh.Size} ranks, {verdict.InstructionCount} instructions, {(verdict.Passed ? "no deadlock" : verdict.Violations[0].ToString())}"
    );
}

// Uniscale.Checkpoints: a safetensors file that Python reads, and one tensor of it back.
void Tensors()
{
    string file = Path.Combine(folder, "weights.safetensors");
    float[] weights = [1, 2, 3, 4, 5, 6];
    var pinned = GCHandle.Alloc(weights, GCHandleType.Pinned);
    SafeTensorsFile.Write(file, [new SafeTensorsSource("weights", ElementType.Float32, [2, 3], pinned.AddrOfPinnedObject())]);
    pinned.Free();
    using var opened = SafeTensorsFile.Open(file);
    float[] row = new float[3];
    opened.Read(opened["weights"], offset: 3 * sizeof(float), MemoryMarshal.AsBytes(row.AsSpan()));
    Console.WriteLine($"checkpoints: weights [{string.Join(", ", opened["weights"].Shape)}], second row {string.Join(' ', row)}");
}

// Uniscale.Mpi: a sum over all ranks, one of them without a launcher; `mpirun -n 4` makes them four.
void Messages()
{
    using var mpi = MpiRuntime.Initialize();
    double[] sum = [mpi.World.Rank + 1];
    var pinned = GCHandle.Alloc(sum, GCHandleType.Pinned);
    mpi.World.AllReduce(pinned.AddrOfPinnedObject(), sum.Length, MpiElement.Float64);
    pinned.Free();
    if (mpi.World.Rank == 0)
        Console.WriteLine($"mpi: {mpi.World.Size} rank{(mpi.World.Size == 1 ? "" : "s")}, sum {sum[0]}");
}
