using System.IO.Hashing;
using System.Text;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// The tensors of a checkpoint in ordinal order of their names: every rank has the same, and they name tensors to one another by their
/// place in it.
/// </summary>
internal sealed class TensorTable
{
    private readonly Dictionary<string, int> _byName = [];

    public TensorTable(IEnumerable<StateTensor> tensors)
    {
        Tensors = [.. tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)];
        foreach (var (index, tensor) in Tensors.Index())
            if (!_byName.TryAdd(tensor.Name, index))
                throw new CheckpointException($"there are two tensors '{tensor.Name}'");
    }

    public IReadOnlyList<StateTensor> Tensors { get; }

    /// <summary>Tensors that slices are of, each once.</summary>
    public static IEnumerable<StateTensor> Of(IEnumerable<StateSlice> slices) =>
        slices.DistinctBy(slice => slice.Name).Select(slice => new StateTensor(slice.Name, slice.Type, slice.GlobalShape));

    /// <summary>A slice by the index of its tensor; throws <see cref="CheckpointException"/> for one that is of none.</summary>
    public SliceKey KeyOf(StateSlice slice)
    {
        if (!_byName.TryGetValue(slice.Name, out int index))
            throw new CheckpointException($"there is a slice of '{slice.Name}', which is no tensor of the checkpoint");
        var tensor = Tensors[index];
        if (tensor.Type != slice.Type || !tensor.Shape.AsSpan().SequenceEqual(slice.GlobalShape))
            throw new CheckpointException(
                $"a slice of tensor '{slice.Name}' is of another type or shape than the tensor ({tensor.Type} {Box.Show(tensor.Shape)})"
            );
        if (!new Box(slice.Offset, slice.Shape).FitsIn(tensor.Shape))
            throw new CheckpointException(
                $"slice {SliceKey.IdOf(slice.Name, slice.GlobalShape, slice.Offset, slice.Shape)} does not lie within the tensor's shape {Box.Show(tensor.Shape)}"
            );
        return new SliceKey(index, slice.Name, slice.Type, slice.GlobalShape, slice.Offset, slice.Shape);
    }

    /// <summary>Digest of names, types and shapes, by which ranks agree on the table.</summary>
    public byte[] ToDigest()
    {
        var hash = new XxHash128();
        foreach (var tensor in Tensors)
            hash.Append(Encoding.UTF8.GetBytes($"{tensor.Name}\0{tensor.Type}\0{Box.Show(tensor.Shape)}\n"));
        return hash.GetHashAndReset();
    }
}
