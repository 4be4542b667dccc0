using System.Runtime.CompilerServices;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        [IndexerName("TensorItems")]
        public Tensor this[long i1]
        {
            get => At(i1);
            set => Write(At(i1), value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2]
        {
            get => At(i1, i2);
            set => Write(At(i1, i2), value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3]
        {
            get => At(i1, i2, i3);
            set => Write(At(i1, i2, i3), value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => At(i1, i2, i3, i4);
            set => Write(At(i1, i2, i3, i4), value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => At(indices);
            set => Write(At(indices), value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        /// <summary>The elements at the given index tensors, one for each leading dim.</summary>
        public Tensor index(params Tensor[] indices) => Aten.index_Tensor.Call(this, Argument.Optional(indices));

        public Tensor index(params TensorIndex[] indices)
        {
            var view = View(indices, out var tensors);
            if (tensors.Length == 0)
                return view;
            var result = Aten.index_Tensor.Call(view, Argument.Optional(tensors));
            view.Dispose();
            return result;
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) =>
            Aten.index_put_.CallInPlace(this, Argument.Optional(indices), value, accumulate);

        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            using var view = View(indices, out var tensors);
            if (tensors.Length > 0)
                Aten.index_put_.CallInPlace(view, Argument.Optional(tensors), value, accumulate);
            else if (accumulate)
                view.add_(value);
            else
                view.copy_(value);
            return this;
        }

        private static void Write(Tensor view, Tensor value) => view.copy_(value).Dispose();

        private Tensor At(params ReadOnlySpan<long> indices)
        {
            var current = select(0, indices[0]);
            foreach (var index in indices[1..])
            {
                var next = current.select(0, index);
                current.Dispose();
                current = next;
            }
            return current;
        }

        /// <summary>Applies what is a view (numbers, slices, new dims); index tensors are left over, each at its dim of the view.</summary>
        private Tensor View(TensorIndex[] indices, out Tensor?[] tensors)
        {
            var left = new List<Tensor?>();
            var view = alias();
            var dim = 0;
            for (var i = 0; i < indices.Length; i++)
            {
                var next = Step(view, indices, i, ref dim, left);
                if (ReferenceEquals(next, view))
                    continue;
                view.Dispose();
                view = next;
            }
            tensors = left.Exists(tensor => tensor is not null) ? [.. left] : [];
            return view;
        }

        private static Tensor Step(Tensor view, TensorIndex[] indices, int i, ref int dim, List<Tensor?> left)
        {
            var index = indices[i];
            switch (index.Kind)
            {
                case TensorIndex.IndexKind.Single:
                    return view.select(dim, index.Start ?? 0);
                case TensorIndex.IndexKind.NewDim:
                    left.Add(null);
                    return view.unsqueeze(dim++);
                case TensorIndex.IndexKind.Ellipsis:
                    var skipped = (int)view.dim() - dim - indices[(i + 1)..].Sum(DimsTaken);
                    left.AddRange(Enumerable.Repeat<Tensor?>(null, skipped));
                    dim += skipped;
                    return view;
                case TensorIndex.IndexKind.Tensor:
                    left.Add(index.Indices);
                    dim += DimsTaken(index);
                    return view;
                default:
                    left.Add(null);
                    return index is { Start: null, Stop: null, Step: null }
                        ? Skip(view, ref dim)
                        : Aten.slice_Tensor.Call(view, dim++, index.Start, index.Stop, index.Step ?? 1);
            }
        }

        private static Tensor Skip(Tensor view, ref int dim)
        {
            dim++;
            return view;
        }

        // A boolean tensor stands for as many dims as it has.
        private static int DimsTaken(TensorIndex index) => index.Kind switch
        {
            TensorIndex.IndexKind.NewDim or TensorIndex.IndexKind.Ellipsis => 0,
            TensorIndex.IndexKind.Tensor when index.Indices!.dtype == ScalarType.Bool => (int)index.Indices.dim(),
            _ => 1,
        };
    }
}
