using static TorchSharp.torch;

namespace Uniscale.Engine.Autograd;

/// <summary>How a tensor that is cheap to compute is computed again from tensors that are kept anyway.</summary>
/// <param name="Sources">The tensors, which somebody's backward keeps.</param>
/// <param name="Make">Computes it from them.</param>
internal sealed record Recipe(Tensor[] Sources, Func<IReadOnlyList<Tensor>, Tensor> Make);

/// <summary>An input that backward needs: kept as it is, or by its recipe.</summary>
internal readonly struct KeptInput(Recipe? recipe)
{
    /// <summary>Adds what is kept to what an operation saves, as the last.</summary>
    public void Save(Tensor input, List<Tensor> saved)
    {
        if (recipe is null)
            saved.Add(input);
        else
            foreach (var source in recipe.Sources)
                saved.Add(source.detach());
    }

    /// <summary>The input, from the saved tensors, of which the first <paramref name="others"/> are not its.</summary>
    public Tensor Restore(IReadOnlyList<Tensor> saved, int others = 0) =>
        recipe is null ? saved[others] : recipe.Make(others == 0 ? saved : [.. saved.Skip(others)]);
}
