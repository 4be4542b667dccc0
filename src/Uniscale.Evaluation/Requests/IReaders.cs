using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Requests;

/// <summary>Models with the same weights that answer requests together: threads, or the ranks of a training run.</summary>
public interface IReaders : IDisposable
{
    /// <summary>Tokens that the model sees at most.</summary>
    int Context { get; }

    /// <summary>
    /// Lets each model read a part of the work. When it returns, what the parts have put into the store of answers is there for all.
    /// </summary>
    /// <param name="work">Requests, neighbours of which begin alike; the same on every rank.</param>
    /// <param name="read">Answers a part with a model.</param>
    /// <exception cref="OperationCanceledException">The evaluation is to be left, on every rank.</exception>
    void Share<T>(IReadOnlyList<T> work, Action<InferenceModel, IReadOnlyList<T>> read);
}
