//! Order and cycles; knows nothing of WireGuard.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Things by number, and which must come before which.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    inner: DiGraph<(), ()>,
}

impl Graph {
    /// Makes a graph of `count` nodes, numbered from 0.
    pub fn new(count: usize) -> Self {
        let mut inner = DiGraph::with_capacity(count, count);
        for _ in 0..count {
            inner.add_node(());
        }
        Self { inner }
    }

    /// Says that one node must come before another. A node before itself is not recorded.
    pub fn before(&mut self, first: usize, second: usize) {
        if first != second {
            self.inner.add_edge(NodeIndex::new(first), NodeIndex::new(second), ());
        }
    }

    /// Returns the nodes that must come directly before one, without doubles, in their order.
    pub fn directly_before(&self, node: usize) -> Vec<usize> {
        let neighbours = self.inner.neighbors_directed(NodeIndex::new(node), Direction::Incoming);
        let mut before: Vec<_> = neighbours.map(NodeIndex::index).collect();
        before.sort_unstable();
        before.dedup();
        before
    }

    /// Returns an order that keeps every edge, and among nodes that are free to go, the lowest `rank` first and then
    /// the lowest number.
    ///
    /// # Errors
    /// The nodes of one cycle, in its order, when there is one.
    pub fn order<R: Ord>(&self, rank: impl Fn(usize) -> R) -> Result<Vec<usize>, Vec<usize>> {
        let mut waiting: Vec<usize> =
            (0..self.inner.node_count()).map(|node| self.directly_before(node).len()).collect();
        let entry = |node: usize| Reverse((rank(node), node));
        let mut free: BinaryHeap<_> =
            (0..waiting.len()).filter(|node| waiting[*node] == 0).map(entry).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(Reverse((_, node))) = free.pop() {
            order.push(node);
            let mut after: Vec<_> =
                self.inner.neighbors(NodeIndex::new(node)).map(NodeIndex::index).collect();
            after.sort_unstable();
            after.dedup();
            for next in after {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    free.push(entry(next));
                }
            }
        }
        if order.len() == waiting.len() { Ok(order) } else { Err(self.cycle()) }
    }

    /// Walks inside one strongly connected component until a node comes again.
    fn cycle(&self) -> Vec<usize> {
        let components = tarjan_scc(&self.inner);
        let Some(component) = components.into_iter().filter(|c| c.len() > 1).min_by_key(Vec::len)
        else {
            return Vec::new();
        };
        let mut path: Vec<NodeIndex> = Vec::new();
        let mut node = component.iter().copied().min().unwrap_or_default();
        loop {
            if let Some(start) = path.iter().position(|seen| *seen == node) {
                return path[start..].iter().map(|node| node.index()).collect();
            }
            path.push(node);
            let next = self.inner.neighbors(node).filter(|next| component.contains(next)).min();
            node = next.unwrap_or(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::graph::Graph;

    #[test]
    fn the_lowest_rank_goes_first_among_those_that_are_free() {
        let mut graph = Graph::new(4);
        graph.before(3, 0);
        assert_eq!(graph.order(|node| usize::from(node != 2)).unwrap(), [2, 1, 3, 0]);
    }

    #[test]
    fn a_cycle_is_returned_in_its_order() {
        let mut graph = Graph::new(5);
        for (first, second) in [(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)] {
            graph.before(first, second);
        }
        assert_eq!(graph.order(|_| 0).unwrap_err(), [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn an_order_keeps_every_edge(edges in prop::collection::vec((0usize..20, 0usize..20), 0..60)) {
            let mut graph = Graph::new(20);
            for (first, second) in &edges {
                graph.before(*first, *second);
            }
            match graph.order(|node| node % 3) {
                Ok(order) => {
                    prop_assert_eq!(order.len(), 20);
                    let at = |node: usize| order.iter().position(|it| *it == node).unwrap();
                    for (first, second) in edges {
                        prop_assert!(first == second || at(first) < at(second));
                    }
                }
                Err(cycle) => {
                    prop_assert!(cycle.len() > 1);
                    for (index, node) in cycle.iter().enumerate() {
                        let next = cycle[(index + 1) % cycle.len()];
                        prop_assert!(edges.contains(&(*node, next)));
                    }
                }
            }
        }
    }
}
